// The part of a DSN for people: what happened, in the words of whoever said it, and what can be done about it.
#include <fmt/format.h>

#include <algorithm>

#include "report/dsn.h"

namespace ringpost::report {
namespace {

constexpr std::size_t kWidth = 72;  // octets of a line, where words allow
constexpr View kMargin = "    ";

// What a person can do, by RFC 3463's subject and detail. The first line that fits counts.
struct Advice {
  std::uint16_t subject;
  std::uint16_t detail;  // kAny: each one of the subject
  View text;
};
constexpr std::uint16_t kAny = UINT16_MAX;
constexpr Advice kFailureAdvice[] = {
    {1, 1,
     "Check the part before the @ for typing errors. Else the address is no more: ask for the new one by other "
     "means."},
    {1, 2, "Check the part behind the @ for typing errors: there is no mail system of that name."},
    {1, 3, "Check the address: it is not written as an address must be."},
    {1, 6, "The mailbox has moved: ask the recipient for the new address."},
    {1, 7, "Check your own address: the recipient's system does not take it as a sender's."},
    {1, 8, "Your own address is not known to the recipient's system as one that can be answered: ask your postmaster."},
    {1, 10, "This domain takes no mail at all. Check the part behind the @."},
    {1, kAny, "Check the address, and ask the recipient by other means if it is right."},
    {2, 1, "The mailbox is closed or takes no mail now: ask the recipient by other means."},
    {2, 2, "The mailbox is full: tell the recipient by other means, and send the message again when there is room."},
    {2, 3,
     "The message is too large for this mailbox: send it in parts, or put attachments where they can be fetched."},
    {2, kAny, "The mailbox could not take the message: ask the recipient by other means."},
    {3, 4,
     "The message is too large for the recipient's system: send it in parts, or put attachments where they can be "
     "fetched."},
    {4, 1,
     "The recipient's system did not answer for all this time. Send the message again later; if it fails again, "
     "ask the recipient by other means."},
    {4, 4,
     "No way to the recipient's system could be found. Check the part behind the @; if it is right, tell the "
     "recipient's postmaster by other means."},
    {4, 6, "The message went in a circle: a forwarding is set up wrongly. Tell the recipient's postmaster, or yours."},
    {4, 7, "Send the message again; if it fails again, the words above say what stands in the way."},
    {4, kAny, "The recipient's system could not be reached. Send the message again later."},
    {5, 3, "Too many recipients at once for the recipient's system: send it to fewer."},
    {6, 7, "The recipient's system cannot take addresses like these (SMTPUTF8): use one in plain letters."},
    {6, 9,
     "The recipient's system cannot take header fields like these (SMTPUTF8): send the message with a plain subject "
     "and plain addresses."},
    {6, kAny, "The recipient's system cannot take a message of this form: send it as plain text."},
    {7, kAny,
     "The recipient's system has a rule against the message. Its words above may say which, and where to ask; "
     "show them to your postmaster."},
};
constexpr View kOtherAdvice = "The words above may say what to do; else show this report to your postmaster.";

View advice_for(smtp::EnhancedCode code) {
  for (const Advice& advice : kFailureAdvice)
    if (advice.subject == code.subject && (advice.detail == code.detail || advice.detail == kAny)) return advice.text;
  return kOtherAdvice;
}

// A paragraph, wrapped at blanks, each line behind `margin`.
void put_paragraph(std::string& out, View margin, View text) {
  std::size_t line = 0;
  while (!text.empty()) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == View::npos) break;
    text.remove_prefix(begin);
    const View word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    if (line > 0 && line + 1 + word.size() > kWidth) {
      out += "\r\n";
      line = 0;
    }
    out.append(line == 0 ? margin : View{" "}).append(word);
    line += (line == 0 ? margin.size() : 1) + word.size();
  }
  out += "\r\n";
}

std::string date_of(WallTime at) {
  std::string date;
  message::write_date(date, at);
  return date;
}

std::string clean(View octets) {
  std::string out;
  put_clean(out, octets, true);
  return out;
}

// The remote's words, with the numbers in front as it said them.
std::string quoted_words(const DsnRecipient& recipient) {
  std::string words;
  if (recipient.code != 0) words = fmt::format("{} ", recipient.code);
  const smtp::EnhancedCode code = recipient.status;
  if (recipient.code != 0 && code.kind == recipient.code / 100 && (code.subject != 0 || code.detail != 0)) {
    char room[smtp::EnhancedCode::kTextLength];
    words.append(code.write(room)).append(" ");
  }
  return words + clean(recipient.text);
}

bool expired(const DsnRecipient& recipient) { return recipient.status == smtp::EnhancedCode{5, 4, 7}; }

void put_cause(std::string& out, const DsnRecipient& recipient) {
  const bool theirs = recipient.code != 0 && !recipient.ours;
  const std::string host = recipient.host.empty() ? "the recipient's system" : clean(recipient.host);
  if (recipient.text.empty() && recipient.code == 0) return;
  const View verb =
      expired(recipient) || recipient.action == DsnAction::delayed ? "The last answer, from" : "Refused by";
  if (theirs)
    put_paragraph(out, kMargin, fmt::format("{} {}:", verb, host));
  else if (recipient.host.empty())
    put_paragraph(out, kMargin, "What stood in the way:");
  else
    put_paragraph(out, kMargin, fmt::format("What stood in the way, at {}:", host));
  put_paragraph(out, "        ", quoted_words(recipient));
}

void put_recipient(std::string& out, const Dsn& dsn, const DsnRecipient& recipient) {
  out.append("\r\n<");
  put_clean(out, recipient.forward_path, true);
  out += ">\r\n";
  switch (recipient.action) {
    case DsnAction::failed:
      if (expired(recipient))
        put_paragraph(
            out, kMargin,
            fmt::format("Given up: tried since {}, {} time{}, without success.", date_of(dsn.original->accepted),
                        recipient.attempts, recipient.attempts == 1 ? "" : "s"));
      put_cause(out, recipient);
      put_paragraph(out, kMargin, advice_for(recipient.status));
      return;
    case DsnAction::delayed:
      put_cause(out, recipient);
      put_paragraph(out, kMargin,
                    recipient.retry_until == WallTime{}
                        ? "It is tried again by itself."
                        : fmt::format("It is tried again by itself, until {}.", date_of(recipient.retry_until)));
      return;
    case DsnAction::relayed:
      put_paragraph(out, kMargin,
                    fmt::format("Passed on to {}, which sends no confirmations of delivery. You hear again only if it "
                                "fails there.",
                                recipient.host.empty() ? "the recipient's system" : clean(recipient.host)));
      return;
  }
}

void put_section(std::string& out, const Dsn& dsn, DsnAction action, View heading) {
  std::size_t count = 0;
  for (const DsnRecipient& recipient : dsn.recipients) {
    if (recipient.action != action) continue;
    if (count == 0) put_paragraph(out.append("\r\n"), {}, heading);
    if (++count <= kDsnRecipientsShown) put_recipient(out, dsn, recipient);
  }
  if (count > kDsnRecipientsShown)
    put_paragraph(
        out.append("\r\n"), {},
        fmt::format("... and {} more: the delivery report attached names them all.", count - kDsnRecipientsShown));
}

}  // namespace

void put_words(std::string& out, const Dsn& dsn, bool whole_returned) {
  std::string text;
  put_paragraph(text, {}, fmt::format("This is the mail system at {}.", dsn.hostname));
  if (dsn.to_postmaster)
    put_paragraph(text.append("\r\n"), {},
                  "A message without a sender (a report of another mail system, or an automatic answer) could not be "
                  "delivered. Nobody else is told.");
  put_section(text, dsn, DsnAction::failed,
              dsn.to_postmaster ? "It could not be delivered to:" : "Your message could not be delivered to:");
  put_section(text, dsn, DsnAction::delayed,
              "Your message could not be delivered yet. THIS IS A WARNING ONLY: YOU NEED NOT SEND IT AGAIN. It still "
              "waits for:");
  put_section(text, dsn, DsnAction::relayed, "You asked to be told of the delivery of your message to:");
  text += "\r\n";
  put_paragraph(
      text, {},
      fmt::format("{} attached. If you ask your postmaster, name the message by its id here: {}",
                  whole_returned ? "The message is" : "The header fields of the message are", dsn.about.text()));
  const bool ascii = is_ascii(text);
  out.append("Content-Type: text/plain; charset=").append(ascii ? "us-ascii" : "utf-8");
  out.append("\r\nContent-Description: Notification\r\nContent-Transfer-Encoding: ").append(ascii ? "7bit" : "8bit");
  out.append("\r\n\r\n").append(text);
}

}  // namespace ringpost::report
