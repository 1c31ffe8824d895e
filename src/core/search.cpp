#include "core/search.h"

#include <algorithm>

namespace ringpost::core {
namespace {

constexpr std::int64_t kMillisecondsPerSecond = 1000;

std::uint32_t hash_of(const AddressWanted& wanted) {
  return wanted.any_user ? domain_hash(wanted.domain) : address_hash(wanted.text, wanted.domain);
}

std::uint32_t seconds_of(WallTime at) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(at.milliseconds / kMillisecondsPerSecond, 0, UINT32_MAX));
}

Search::Fit both(Search::Fit a, Search::Fit b) { return std::min(a, b); }

}  // namespace

Search::Search(const Rooms& rooms, const Filter& filter)
    : rooms_(rooms),
      filter_(filter),
      from_hash_(hash_of(filter.from)),
      to_hash_(hash_of(filter.to)),
      accepted_until_(filter.accepted_until ? seconds_of(*filter.accepted_until) : UINT32_MAX),
      accepted_since_(filter.accepted_since ? seconds_of(*filter.accepted_since) : 0) {}

// From the cheapest question to the dearest.
Search::Fit Search::fit(const spool::Listed& listed) {
  if (filter_.id && *filter_.id != listed.id) return Fit::no;
  if (listed.damaged) return fit_damaged();
  const Facts facts = Facts::of(listed.note);
  if (facts.accepted > accepted_until_ || facts.accepted < accepted_since_) return Fit::no;
  if (!from_may_fit(facts) || !to_may_fit(facts)) return Fit::no;
  Fit fit = fit_standing(facts);
  if (fit != Fit::no) fit = both(fit, fit_error(facts));
  if (fit != Fit::no) fit = both(fit, fit_destination(listed));
  if (fit == Fit::no) return fit;
  // A hash says that it may be. Of a second only its message knows the part; of several recipients only their states,
  // which of them it is about.
  const bool certain = !filter_.from.given && !filter_.to.given && facts.accepted != accepted_until_ &&
                       (facts.accepted != accepted_since_ || accepted_since_ == 0) &&
                       !(facts.several() && filter_.about_recipients());
  return certain ? fit : Fit::look;
}

// Nothing is known of it but its id.
Search::Fit Search::fit_damaged() const {
  if (filter_.standing == Standing::damaged) return Fit::yes;
  return filter_.empty() || filter_.id ? Fit::yes : Fit::no;
}

Search::Fit Search::fit_standing(const Facts& facts) const {
  if (!filter_.standing) return Fit::yes;
  switch (*filter_.standing) {
    case Standing::queued:
      return facts.open() ? Fit::yes : Fit::no;
    case Standing::held:
      return !facts.open() && facts.held() ? Fit::yes : Fit::no;
    case Standing::failed:
      return facts.open() || facts.held() ? Fit::no : Fit::yes;
    case Standing::damaged:
      return Fit::no;
  }
  return Fit::no;
}

bool Search::from_may_fit(const Facts& facts) const {
  if (!filter_.from.given) return true;
  return filter_.from.any_user ? static_cast<std::uint16_t>(facts.from) == from_hash_ : facts.from == from_hash_;
}

bool Search::to_may_fit(const Facts& facts) const {
  if (!filter_.to.given) return true;
  if (facts.several()) {
    const std::uint32_t bits =
        filter_.to.any_user ? domain_bit(static_cast<std::uint16_t>(to_hash_)) : set_of(to_hash_);
    return (facts.to & bits) == bits;
  }
  return filter_.to.any_user ? static_cast<std::uint16_t>(facts.to) == to_hash_ : facts.to == to_hash_;
}

Search::Fit Search::fit_error(const Facts& facts) {
  if (filter_.error.empty() && filter_.code == 0) return Fit::yes;
  if (facts.error == Facts::kNoError) return Fit::no;
  if (facts.error == Facts::kLookForError) return Fit::look;
  const ErrorBook::Error& error = rooms_.facts.errors().at(facts.error);
  Known& known = errors_[facts.error];
  if (known.version != error.version) known = {error.version, filter_.error_fits(error.text, error.code)};
  return known.fits ? Fit::yes : Fit::no;
}

// What is queued has an entry at its destination; the rest is known by its recipients only.
Search::Fit Search::fit_destination(const spool::Listed& listed) const {
  if (filter_.destination.empty()) return Fit::yes;
  if (!Facts::of(listed.note).open()) return Fit::look;
  const auto wanted = rooms_.queue->find(filter_.destination);
  bool there = false, any = false;
  rooms_.queue->entries_of(listed.id, [&](DestinationId destination, WallTime, bool) {
    any = true;
    there |= wanted && destination == *wanted;
  });
  return there ? Fit::yes : any ? Fit::no : Fit::look;
}

}  // namespace ringpost::core
