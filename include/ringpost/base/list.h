// Intrusive doubly linked list: membership costs no allocation and a member can leave by itself.
#pragma once

#include "ringpost/base/check.h"

namespace ringpost {

// A member of at most one list at a time per Tag. Leaves its list when destroyed.
template <class Tag = void>
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  [[nodiscard]] bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class List;
  Link* next_ = nullptr;
  Link* previous_ = nullptr;
};

// A list of T, where T derives from Link<Tag>. Owns nothing. One thread.
template <class T, class Tag = void>
class List {
 public:
  List() { head_.next_ = head_.previous_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) front().Link<Tag>::unlink();
    head_.next_ = head_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const { return head_.next_ == &head_; }
  [[nodiscard]] T& front() { return at(head_.next_); }
  [[nodiscard]] T& back() { return at(head_.previous_); }
  void push_back(T& item) { insert_before(head_, item); }
  void push_front(T& item) { insert_before(*head_.next_, item); }
  T& pop_front() {
    T& item = front();
    item.Link<Tag>::unlink();
    return item;
  }
  // The member after `item`, or null at the end: for a walk that may unlink the current member, take it first.
  [[nodiscard]] T* after(T& item) {
    Link<Tag>* next = static_cast<Link<Tag>&>(item).next_;
    return next == &head_ ? nullptr : &at(next);
  }

 private:
  static T& at(Link<Tag>* link) { return static_cast<T&>(*link); }
  void insert_before(Link<Tag>& place, T& item) {
    Link<Tag>& link = item;
    RINGPOST_CHECK(!link.linked());
    link.next_ = &place;
    link.previous_ = place.previous_;
    place.previous_->next_ = &link;
    place.previous_ = &link;
  }
  Link<Tag> head_;
};

}  // namespace ringpost
