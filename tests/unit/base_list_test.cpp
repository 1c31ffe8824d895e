// The intrusive list: members leave by themselves, also by dying.
#include "ringpost/base/list.h"

#include <doctest/doctest.h>

#include <vector>

namespace {

struct Item : ringpost::Link<> {
  explicit Item(int n) : number(n) {}
  int number;
};

std::vector<int> numbers(ringpost::List<Item>& list) {
  std::vector<int> out;
  if (list.empty()) return out;
  for (Item* item = &list.front(); item != nullptr; item = list.after(*item)) out.push_back(item->number);
  return out;
}

}  // namespace

TEST_CASE("members keep the order they were put in") {
  Item one(1);
  Item two(2);
  Item three(3);
  ringpost::List<Item> list;
  list.push_back(two);
  list.push_back(three);
  list.push_front(one);
  CHECK(numbers(list) == std::vector<int>{1, 2, 3});
  CHECK(list.pop_front().number == 1);
  CHECK_FALSE(one.linked());
  CHECK(list.back().number == 3);
}

TEST_CASE("a member that dies leaves its list") {
  ringpost::List<Item> list;
  Item one(1);
  list.push_back(one);
  {
    Item two(2);
    list.push_back(two);
  }
  CHECK(numbers(list) == std::vector<int>{1});
  one.unlink();
  CHECK(list.empty());
  one.unlink();
}

TEST_CASE("a list that dies lets its members go") {
  Item one(1);
  {
    ringpost::List<Item> list;
    list.push_back(one);
  }
  CHECK_FALSE(one.linked());
  ringpost::List<Item> other;
  other.push_back(one);
  CHECK(numbers(other) == std::vector<int>{1});
}
