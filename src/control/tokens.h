// Tokens: who may use the commands over HTTP, and for what. A secret of each
// holder stands in a file of the relay's own:
//
//     # role      name       token
//     admin       alice      6Jf0…
//     read-only   dashboard  x81k…
//
// Secrets are never told: not in errors, not in events, not in answers. Private
// to control. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ringpost/control.h"

namespace ringpost::control {

inline constexpr std::size_t kShortestToken = 24;  // characters: 128 bits and more in any usual alphabet
inline constexpr std::size_t kLongestToken = 256;
inline constexpr std::size_t kTokenFile = 64 * 1024;  // octets

enum class Role : std::uint8_t { read_only, admin };

struct Holder {
  Role role = Role::read_only;
  std::string name;
  std::string token;
};

class Tokens {
 public:
  // The text of such a file. The error's text has the line's number, never what
  // stands in it.
  static Result<Tokens> parse(View text);
  // The file itself. Blocks. Refused when others than its owner and group may
  // read it.
  static Result<Tokens> read(const std::string& path);
  // The holder of a token. Takes as long whatever the token has in common with
  // those of the file.
  [[nodiscard]] const Holder* find(View token) const;
  [[nodiscard]] std::size_t size() const { return holders_.size(); }

 private:
  std::vector<Holder> holders_;
};

}  // namespace ringpost::control
