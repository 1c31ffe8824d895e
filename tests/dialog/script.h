// Dialogue scripts: what a client sends and what the server must say, as a person would write it down.
//
//   # a comment
//   == a case: its name says the behaviour
//   !: client 192.0.2.7          something that is no octet: the stage is set, or something happens (see stage.h)
//   C: MAIL FROM:<a@b.example>   the client sends this line and CRLF
//   C+ octets without a CRLF     … as it stands
//   S: 250 2.1.0 *               the server says this line; * stands for any octets
//   K: a@b.example -> c@d.example: Subject: x\r\n\r\nbody\r\n     this was committed: envelope and content ("none":
//   nothing) X: closed                    the server has ended the session (or: open)
//   @hello, @helo, @open         banner and EHLO with all its reply; the same with HELO; MAIL and RCPT, both taken
//
// In C, C+ and K: \r \n \t \0 \\ \xHH, and \{1000:text} for a thousand times that text.
#pragma once

#include <string>
#include <vector>

namespace ringpost::dialog {

struct Step {
  enum class Kind { send, expect, kept, state, event };
  Kind kind = Kind::send;
  std::string text;  // send: octets; expect: pattern; kept: as written, escapes undone; state, event: words
  unsigned line = 0;
};

struct Case {
  std::string name;
  std::string file;
  unsigned line = 0;
  std::vector<Step> steps;
};

// The cases of one file; what is wrong with the script goes to stderr and ends the process: it is the test's own bug.
std::vector<Case> read_script(const std::string& path);

// Whether `text` is what `pattern` says.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace ringpost::dialog
