// Commands taken apart: the verb, and the arguments of EHLO, MAIL, RCPT and BDAT. RFC 5321 4.1.
// A view in, views out; what a command may do at this point of a dialogue is the session's matter.
#include <algorithm>
#include <array>

#include "parameters.h"
#include "path.h"

namespace ringpost::smtp {
namespace {

constexpr std::array<View, 15> kVerbs{"?",    "EHLO", "HELO", "MAIL", "RCPT", "DATA",     "BDAT", "RSET",
                                      "NOOP", "QUIT", "VRFY", "EXPN", "HELP", "STARTTLS", "AUTH"};
static_assert(kVerbs.size() == static_cast<std::size_t>(Verb::auth) + 1);

// A word of four letters as one number, in whatever case: no other octet becomes a letter when its bit 5 is cleared.
constexpr std::size_t kCommonLength = 4;
constexpr std::uint32_t number_of(View word) {
  std::uint32_t number = 0;
  for (const char c : word.substr(0, kCommonLength)) number = number << 8 | (static_cast<unsigned char>(c) & 0xDFU);
  return number;
}

Verb verb_of(View word) {
  if (word.size() == kCommonLength) {
    switch (number_of(word)) {
      case number_of("MAIL"):
        return Verb::mail;
      case number_of("RCPT"):
        return Verb::rcpt;
      case number_of("DATA"):
        return Verb::data;
      case number_of("BDAT"):
        return Verb::bdat;
      default:
        break;
    }
  }
  const auto found = std::ranges::find_if(kVerbs, [&](View verb) { return equal_ignoring_case(verb, word); });
  return found == kVerbs.end() ? Verb::unknown : static_cast<Verb>(found - kVerbs.begin());
}

constexpr EnhancedCode kBadArguments{5, 5, 4};
constexpr EnhancedCode kBadSender{5, 1, 7};
constexpr EnhancedCode kBadRecipient{5, 1, 3};
constexpr EnhancedCode kNeedsUtf8{5, 6, 7};

std::unexpected<Refusal> refuse(std::uint16_t code, EnhancedCode enhanced, View text) {
  return std::unexpected(Refusal{code, enhanced, text});
}

// RFC 5321 4.1.1.11: a parameter that is not implemented gets 555.
std::unexpected<Refusal> unknown_parameter() { return refuse(555, kBadArguments, "Unknown parameter"); }
std::unexpected<Refusal> malformed(View text) { return refuse(501, kBadArguments, text); }

// "FROM:" or "TO:" off the front, in any case, and the blanks behind it, which RFC 5321 does not allow but Outlook and
// many scripts send; no mailbox can begin with a blank, so nothing becomes ambiguous. Postfix takes them too.
bool take_keyword(View& argument, View keyword) {
  if (!equal_ignoring_case(argument.substr(0, keyword.size()), keyword)) return false;
  argument.remove_prefix(keyword.size());
  while (!argument.empty() && blank(argument.front())) argument.remove_prefix(1);
  return true;
}

// A parameter's place in a bit set, to find doubled ones.
enum MailBit : unsigned { kSize = 1, kBody = 2, kUtf8 = 4, kRet = 8, kEnvidBit = 16, kAuth = 32 };
enum RcptBit : unsigned { kNotify = 1, kOrcptBit = 2 };

struct Known {
  View keyword;
  unsigned bit;
};
constexpr std::array<Known, 6> kMailKnown{
    {{"SIZE", kSize}, {"BODY", kBody}, {"SMTPUTF8", kUtf8}, {"RET", kRet}, {"ENVID", kEnvidBit}, {"AUTH", kAuth}}};
constexpr std::array<Known, 2> kRcptKnown{{{"NOTIFY", kNotify}, {"ORCPT", kOrcptBit}}};

// The parameter's bit, put into `seen`; a refusal when it is unknown, doubled, or has a value too many or too few.
Parsed<unsigned> recognise(const Parameter& parameter, std::span<const Known> known, unsigned& seen) {
  const auto found = std::ranges::find_if(
      known, [&](const Known& each) { return equal_ignoring_case(each.keyword, parameter.keyword); });
  if (found == known.end()) return unknown_parameter();
  if ((seen & found->bit) != 0) return malformed("Parameter given twice");
  if (parameter.has_value == (found->keyword == "SMTPUTF8")) return malformed("Malformed parameter");
  seen |= found->bit;
  return found->bit;
}

// Nothing when the value was taken.
std::optional<Refusal> set_body(MailCommand& mail, View value) {
  if (equal_ignoring_case(value, "7BIT")) {
    mail.body = BodyType::seven_bit;
  } else if (equal_ignoring_case(value, "8BITMIME")) {
    mail.body = BodyType::eight_bit_mime;
  } else if (equal_ignoring_case(value, "BINARYMIME")) {
    return Refusal{504, kBadArguments, "BINARYMIME is not offered"};
  } else {
    return Refusal{501, kBadArguments, "Unknown BODY"};
  }
  return std::nullopt;
}

std::optional<Refusal> refusal_unless(bool good, View text) {
  if (good) return std::nullopt;
  return Refusal{501, kBadArguments, text};
}

std::optional<Refusal> set_mail_parameter(MailCommand& mail, unsigned bit, View value) {
  switch (bit) {
    case kSize:
      mail.size = parse_decimal(value);
      return refusal_unless(mail.size.has_value(), "Malformed SIZE");
    case kBody:
      return set_body(mail, value);
    case kUtf8:
      mail.smtputf8 = true;
      return std::nullopt;
    case kRet: {
      const auto ret = parse_return(value);
      mail.ret = ret.value_or(DsnReturn::unset);
      return refusal_unless(ret.has_value(), "RET is FULL or HDRS");
    }
    case kEnvidBit:
      mail.envid = value;
      return refusal_unless(envid_valid(value), "Malformed ENVID");
    default:
      mail.auth = value;
      return refusal_unless(auth_value_valid(value), "Malformed AUTH");
  }
}

std::optional<Refusal> set_rcpt_parameter(RcptCommand& rcpt, unsigned bit, View value, bool smtputf8) {
  if (bit == kNotify) {
    const auto notify = parse_notify(value);
    rcpt.notify = notify.value_or(0);
    return refusal_unless(notify.has_value(), "Malformed NOTIFY");
  }
  rcpt.orcpt = value;
  return refusal_unless(orcpt_valid(value, smtputf8), "Malformed ORCPT");
}

// What stands behind a path is a blank or the end: "<a@example.com>SIZE=1" is neither.
bool parameters_follow(View text) { return text.empty() || blank(text.front()); }

}  // namespace

View verb_name(Verb verb) { return kVerbs[static_cast<std::size_t>(verb)]; }

Command split_command(View line) {
  const auto end = std::ranges::find_if(line, blank);
  Command command;
  command.word = line.substr(0, static_cast<std::size_t>(end - line.begin()));
  command.argument = trim(line.substr(command.word.size()));
  command.verb = verb_of(command.word);
  return command;
}

Parsed<Hello> parse_hello(View argument) {
  if (argument.empty()) return malformed("Say who you are: a domain or an address literal");
  if (!std::ranges::all_of(argument, [](char c) { return blank(c) || (c > ' ' && c <= '~'); }))
    return malformed("Control or 8-bit octets in the name");
  const auto end = std::ranges::find_if(argument, blank);
  Hello hello{argument.substr(0, static_cast<std::size_t>(end - argument.begin())), false};
  if (hello.name.size() > kHelloName) return malformed("Name too long");
  hello.valid = hello.name.size() == argument.size() && (domain_valid(hello.name) || parse_literal(hello.name));
  return hello;
}

Parsed<MailCommand> parse_mail(View argument) {
  if (!take_keyword(argument, "FROM:")) return malformed("Syntax: MAIL FROM:<address>");
  const auto from = take_path(argument);
  // Only RCPT may name postmaster without a domain (RFC 5321 4.5.1): a bounce must have a way back.
  if (!from || !parameters_follow(argument) || (!from->null() && from->domain.empty()))
    return refuse(501, kBadSender, "Malformed sender address");
  MailCommand mail;
  mail.from = *from;
  unsigned seen = 0;
  for (argument = trim(argument); !argument.empty();) {
    const auto parameter = take_parameter(argument);
    if (!parameter) return std::unexpected(parameter.error());
    const auto bit = recognise(*parameter, kMailKnown, seen);
    if (!bit) return std::unexpected(bit.error());
    if (const auto refusal = set_mail_parameter(mail, *bit, parameter->value)) return std::unexpected(*refusal);
  }
  // RFC 6531 3.5: the address stands before the parameter that allows it.
  if (mail.from.utf8 && !mail.smtputf8) return refuse(553, kNeedsUtf8, "This sender address needs SMTPUTF8");
  return mail;
}

Parsed<RcptCommand> parse_rcpt(View argument, bool smtputf8) {
  if (!take_keyword(argument, "TO:")) return malformed("Syntax: RCPT TO:<address>");
  const auto to = take_path(argument);
  if (!to || !parameters_follow(argument) || to->null())
    return refuse(501, kBadRecipient, "Malformed recipient address");
  if (to->utf8 && !smtputf8) return refuse(553, kNeedsUtf8, "This recipient address needs SMTPUTF8");
  RcptCommand rcpt;
  rcpt.to = *to;
  unsigned seen = 0;
  for (argument = trim(argument); !argument.empty();) {
    const auto parameter = take_parameter(argument);
    if (!parameter) return std::unexpected(parameter.error());
    const auto bit = recognise(*parameter, kRcptKnown, seen);
    if (!bit) return std::unexpected(bit.error());
    if (const auto refusal = set_rcpt_parameter(rcpt, *bit, parameter->value, smtputf8))
      return std::unexpected(*refusal);
  }
  return rcpt;
}

Parsed<BdatCommand> parse_bdat(View argument) {
  const auto end = std::ranges::find_if(argument, blank);
  const View digits = argument.substr(0, static_cast<std::size_t>(end - argument.begin()));
  const View rest = trim(argument.substr(digits.size()));
  const auto size = parse_decimal(digits);
  const bool last = equal_ignoring_case(rest, "LAST");
  if (!size || (!rest.empty() && !last)) return malformed("Syntax: BDAT size [LAST]");
  return BdatCommand{*size, last};
}

}  // namespace ringpost::smtp
