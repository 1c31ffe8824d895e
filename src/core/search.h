// Search: what a filter says of a live message before it is read: no, yes, or look at it. Made by a core for one query.
// Knows the facts in memory and the queue; never the disk. One thread.
#pragma once

#include <unordered_map>

#include "core/facts.h"
#include "core/filter.h"
#include "core/rooms.h"

namespace ringpost::core {

class Search {
 public:
  static constexpr std::size_t kPlaces = 2048;  // of the spool's index, looked at in one turn: well below a millisecond

  enum class Fit : std::uint8_t {
    no,
    look,  // its record decides
    yes,
  };

  Search(const Rooms& rooms, const Filter& filter);
  [[nodiscard]] Fit fit(const spool::Listed& listed);

 private:
  [[nodiscard]] Fit fit_damaged() const;
  [[nodiscard]] Fit fit_standing(const Facts& facts) const;
  [[nodiscard]] bool from_may_fit(const Facts& facts) const;
  [[nodiscard]] bool to_may_fit(const Facts& facts) const;
  [[nodiscard]] Fit fit_error(const Facts& facts);
  [[nodiscard]] Fit fit_destination(const spool::Listed& listed) const;

  const Rooms& rooms_;
  const Filter& filter_;
  std::uint32_t from_hash_, to_hash_;
  std::uint32_t accepted_until_, accepted_since_;  // seconds
  // What was found for an error of the book: valid for that version of its number.
  struct Known {
    std::uint32_t version = 0;
    bool fits = false;
  };
  std::unordered_map<std::uint16_t, Known> errors_;
};

}  // namespace ringpost::core
