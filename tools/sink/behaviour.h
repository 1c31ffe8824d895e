// How the sink behaves badly, on demand: rules from the command line, each for one stage of the dialogue, and what
// they decide when the stage comes. Pure: chance comes from outside, time is only named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/random.h"
#include "ringpost/base/result.h"
#include "ringpost/base/time.h"

namespace ringpost::sink {

// Where in the dialogue: at the reply to what the name says; `body`: at the first octets of a message, before any
// reply; `dot`: at the reply to a whole message, by DATA or by BDAT LAST.
enum class Stage : std::uint8_t { connect, ehlo, mail, rcpt, data, body, dot, quit };
inline constexpr std::size_t kStages = 8;
View stage_name(Stage stage);

enum class Deed : std::uint8_t {
  obey,
  reject,    // a reply of class 5
  defer,     // a reply of class 4
  drop,      // closes the connection instead of replying
  nonsense,  // octets that are no reply
  hang,      // never replies, keeps the connection; at stage body it does not read on either
};
inline constexpr std::size_t kDeeds = 6;
View deed_name(Deed deed);

struct Decision {
  Deed deed = Deed::obey;
  std::uint16_t code = 0;  // for reject and defer
  Duration delay{0};       // before anything else happens
};

class Behaviour {
 public:
  // "STAGE[:CODE[:PROBABILITY]]" for reject and defer, "STAGE[:PROBABILITY]" for the others. A probability has a
  // point or a percent sign, or is 0 or 1: so it may also stand where the code may.
  Result<void> add(Deed deed, View text);
  // "PATTERN[:CODE[:PROBABILITY]]": recipients that match, "*" and "?" as in file names, case ignored.
  Result<void> add_recipient(Deed deed, View text);
  // "STAGE:DURATION": slow, whatever else happens. Several for one stage add up.
  Result<void> add_delay(View text);

  // What happens at `stage`; `recipient` is the address at stage rcpt. The first rule that applies decides.
  [[nodiscard]] Decision decide(Stage stage, Random& random, View recipient = {}) const {
    return quiet_ ? Decision{} : decide_slowly(stage, random, recipient);
  }

 private:
  struct Rule {
    Stage stage = Stage::connect;
    Deed deed = Deed::obey;
    std::uint16_t code = 0;
    double probability = 1;
    std::optional<std::string> pattern;
  };
  [[nodiscard]] Decision decide_slowly(Stage stage, Random& random, View recipient) const;

  std::vector<Rule> rules_;
  Duration delays_[kStages]{};
  bool quiet_ = true;  // no rule at all: the hot path asks nothing
};

// "*" stands for any octets, "?" for one; case ignored.
bool matches(View pattern, View text);

}  // namespace ringpost::sink
