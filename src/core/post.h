// The letters between cores and from the main thread: what a ring::Mail's kind and words mean. Private to core.
#pragma once

#include <cstdint>

#include "ringpost/pace.h"
#include "ringpost/ring.h"

namespace ringpost::core {

enum class Post : std::uint32_t {
  pace,        // a pace::Letter
  query,       // pointer: a Query of core 0's to work on this core's part of
  query_done,  // pointer: the same Query; the part is back with core 0
  reload,      // pointer: a std::shared_ptr<const config::Config>, the receiver's to delete
  drain,
  http,      // to core 0: words[0] is the number of an exchange of the control::HttpServer at `pointer`
  command,   // to core 0: the same, for the operator's commands
  gather,    // pointer: a Gathering to fill in this core's part of
  gathered,  // pointer: the same Gathering, back on core 0
  question,  // words[0]: a question on the Board for this core's resolver
  answer,    // words[0]: the same, answered
  trouble,   // to core 0; pointer: a std::string that says what, the receiver's to delete
  pulse,     // a Pulse asks whether the loop turns; words[0]: the round, pointer: where the core marks it
  ended,     // to core 0: this core's last letter
  started,   // to core 0: every core has started; words[0]: messages recovered by all of them
};

inline ring::Mail mail_of(const pace::Letter& letter) {
  return {.kind = static_cast<std::uint32_t>(Post::pace),
          .from = letter.from,
          .words = {static_cast<std::uint64_t>(letter.kind), letter.key, letter.count, letter.limit, letter.to.value},
          .pointer = nullptr};
}

inline pace::Letter letter_of(const ring::Mail& mail) {
  return {.kind = static_cast<pace::Letter::Kind>(mail.words[0]),
          .from = mail.from,
          .to = {static_cast<std::uint16_t>(mail.words[4])},
          .key = mail.words[1],
          .count = static_cast<std::uint32_t>(mail.words[2]),
          .limit = static_cast<std::uint32_t>(mail.words[3])};
}

inline ring::Mail mail_of(Post kind, CoreId from, void* pointer) {
  return {.kind = static_cast<std::uint32_t>(kind), .from = from, .words = {}, .pointer = pointer};
}

}  // namespace ringpost::core
