// Commands of a server session that need no transaction: EHLO, HELO, RSET, NOOP, QUIT, VRFY, EXPN, HELP, and what is no
// command at all.
#include <algorithm>
#include <array>
#include <charconv>

#include "session_parts.h"

namespace ringpost::receive {
namespace {

constexpr smtp::EnhancedCode kBadArguments{5, 5, 4};

// A browser, or a page in one, that was pointed at our port: what follows would be its header, line by line, and
// perhaps SMTP in its body. Nothing of it is looked at.
constexpr std::array<View, 9> kHttpMethods{"GET",     "POST",    "PUT",   "HEAD", "DELETE",
                                           "CONNECT", "OPTIONS", "PATCH", "PRI"};

bool speaks_http(View word) { return std::ranges::find(kHttpMethods, word) != kHttpMethods.end(); }

}  // namespace

void Session::Parts::obey(const smtp::Command& command) {
  switch (command.verb) {
    case smtp::Verb::ehlo:
      return hello(command.argument, true);
    case smtp::Verb::helo:
      return hello(command.argument, false);
    case smtp::Verb::mail:
      return mail(command.argument);
    case smtp::Verb::rcpt:
      return rcpt(command.argument);
    case smtp::Verb::data:
      return data(command.argument);
    case smtp::Verb::bdat:
      return bdat(command.argument);
    case smtp::Verb::rset:
      return reset(command.argument);
    case smtp::Verb::noop:  // RFC 5321 4.1.1.9: an argument is ignored
      say("250 2.0.0 Ok\r\n");
      return count_idle_command();
    case smtp::Verb::quit:
      return quit(command.argument);
    case smtp::Verb::vrfy:
      return verify(command.argument);
    case smtp::Verb::help:
      return help();
    case smtp::Verb::expn:
      return refuse(502, {5, 5, 1}, "EXPN is not offered");
    case smtp::Verb::starttls:
    case smtp::Verb::auth:
      return refuse(502, {5, 5, 1}, "Not offered");
    case smtp::Verb::unknown:
      return unknown(command);
  }
}

// RFC 5321 4.1.1.1, 4.1.4: a valid one ends any transaction; one that is refused changes nothing.
void Session::Parts::hello(View argument, bool extended) {
  const auto parsed = smtp::parse_hello(argument);
  if (!parsed) return refuse(parsed.error());
  phase_ = Phase::ready;
  close_transaction();
  helo_.assign(parsed->name);
  extended_ = extended;
  if (extended) {
    say_extensions();
  } else {
    replies_.say(250, {}, config_.hostname);
  }
  count_idle_command();
}

// RFC 2034 4: no enhanced codes in this reply.
void Session::Parts::say_extensions() {
  char size[32] = "SIZE ";
  const auto end = std::to_chars(size + 5, size + sizeof size, config_.limits.message_size).ptr;
  const View lines[] = {
      config_.hostname,
      "PIPELINING",                                      // RFC 2920
      View{size, static_cast<std::size_t>(end - size)},  // RFC 1870
      "8BITMIME",                                        // RFC 6152
      "SMTPUTF8",                                        // RFC 6531
      "CHUNKING",                                        // RFC 3030
      "ENHANCEDSTATUSCODES",                             // RFC 2034
      "DSN",                                             // RFC 3461
      "HELP",
  };
  replies_.say(250, {}, lines);
}

void Session::Parts::reset(View argument) {
  if (!argument.empty()) return refuse(501, kBadArguments, "RSET takes no argument");
  close_transaction();
  say("250 2.0.0 Ok\r\n");
  count_idle_command();
}

// RFC 5321 4.1.1.10. What was pipelined behind it is never looked at.
void Session::Parts::quit(View argument) {
  if (!argument.empty()) return refuse(501, kBadArguments, "QUIT takes no argument");
  say("221 2.0.0 Bye\r\n");
  end();
}

// RFC 5321 3.5.3, 7.3: we do not know, and would not tell.
void Session::Parts::verify(View argument) {
  if (argument.empty()) return refuse(501, kBadArguments, "VRFY whom?");
  say("252 2.0.0 Cannot verify, but will take mail and try to deliver it\r\n");
  count_idle_command();
}

void Session::Parts::help() {
  say("214 2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP (RFC 5321)\r\n");
  count_idle_command();
}

void Session::Parts::unknown(const smtp::Command& command) {
  if (speaks_http(command.word)) return give_up({4, 7, 0}, "This is a mail server");
  refuse(500, {5, 5, 2}, "Command not recognised");
}

}  // namespace ringpost::receive
