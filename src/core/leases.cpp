#include "core/leases.h"

#include "core/post.h"

namespace ringpost::core {

Leases::Leases(ring::Ring& ring, Listener& listener)
    : ring_(ring),
      listener_(listener),
      lender_(ring.core()),
      borrower_(ring.core(), ring.cores()),
      timer_(this, ring::call<&Leases::expire>),
      telling_(this, ring::call<&Leases::tell>) {}

bool Leases::take(DestinationId id, View name, std::uint32_t limit) {
  if (id.value >= keys_.size()) keys_.resize(id.value + 1);
  if (keys_[id.value] == 0) keys_[id.value] = pace::key_of(name);
  const bool taken = borrower_.take(id, keys_[id.value], limit, ring_.now(), out_);
  post();
  return taken;
}

void Leases::closed(DestinationId id) {
  borrower_.closed(id, ring_.now(), out_);
  post();
}

void Leases::refused(DestinationId id) {
  borrower_.refused(id, ring_.now(), out_);
  post();
}

bool Leases::forget(DestinationId id) {
  if (id.value >= keys_.size() || keys_[id.value] == 0) return true;
  if (!borrower_.forget(id)) return false;
  keys_[id.value] = 0;
  return true;
}

std::uint32_t Leases::must_end(DestinationId id, bool busy) const { return borrower_.must_end(id, busy, ring_.now()); }

void Leases::receive(const pace::Letter& letter) {
  switch (letter.kind) {
    case pace::Letter::Kind::want:
    case pace::Letter::Kind::back:
    case pace::Letter::Kind::refused:
      lender_.receive(letter, ring_.now(), out_);
      break;
    case pace::Letter::Kind::grant:
    case pace::Letter::Kind::recall:
    case pace::Letter::Kind::dead:
      borrower_.receive(letter, ring_.now(), out_);
      break;
  }
  post();
}

// Letters to this core itself take the same way, so that there is one order of events whatever the number of cores.
void Leases::post() {
  for (const pace::Letter& letter : out_) ring_.mail_to(letter.to, mail_of(letter));
  out_.clear();
  ring_.defer(telling_);
}

void Leases::tell() {
  borrower_.news(news_);
  for (std::size_t i = 0; i < news_.size(); ++i) {  // by index: the listener may cause more
    const pace::Borrower::News news = news_[i];
    if (news.dead)
      listener_.destination_dead(news.destination);
    else
      listener_.leases_changed(news.destination);
  }
  news_.clear();
  if (const auto next = borrower_.next_time(); next && (!timer_.armed() || *next < timer_.due()))
    ring_.arm(timer_, *next);
}

void Leases::expire() {
  borrower_.expire(ring_.now(), out_);
  post();
}

}  // namespace ringpost::core
