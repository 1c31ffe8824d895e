// The part of a DSN for machines: RFC 3464, with the forms of RFC 6533 where addresses are not ASCII.
#include <fmt/format.h>

#include <array>

#include "report/dsn.h"

namespace ringpost::report {
namespace {

View word_of(DsnAction action) {
  switch (action) {
    case DsnAction::failed:
      return "failed";
    case DsnAction::delayed:
      return "delayed";
    case DsnAction::relayed:
      return "relayed";
  }
  return "failed";
}

// RFC 3464 2.3.4: the class says the same as the action.
std::string status_of(const DsnRecipient& recipient) {
  const unsigned kind = recipient.action == DsnAction::failed ? 5 : recipient.action == DsnAction::delayed ? 4 : 2;
  return fmt::format("{}.{}.{}", kind, recipient.status.subject, recipient.status.detail);
}

// Not folded: blanks in a quoted local part are part of the address.
void put_line(std::string& out, View name, View value) { out.append(name).append(": ").append(value).append("\r\n"); }

void put_date(std::string& out, View name, WallTime at) {
  std::string date;
  message::write_date(date, at);
  put_field(out, name, date);
}

bool printable(View octets, bool utf8) {
  std::string cleaned;
  put_clean(cleaned, octets, utf8);
  return cleaned == octets;
}

// xtext decoded, unless what comes out could not stand in a field.
std::string decoded(View xtext, bool utf8) {
  std::string plain(xtext.size(), '\0');
  const auto length = smtp::xtext_decode(xtext, plain);
  if (!length) return std::string(xtext);
  plain.resize(*length);
  return printable(plain, utf8) ? plain : std::string(xtext);
}

void put_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t octet) { out += static_cast<char>(octet); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 63));
    }
    put(0x80 | (point >> 6 & 63));
  }
  put(0x80 | (point & 63));
}

// RFC 6533 3: "\x{3B4}" is a character; the whole stays as it is when that gives no clean UTF-8.
std::string unescaped(View text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = text.substr(i, 3) == "\\x{" ? text.find('}', i) : View::npos;
    if (end == View::npos) {
      out += text[i++];
      continue;
    }
    std::uint32_t point = 0;
    for (const char c : text.substr(i + 3, std::min<std::size_t>(end - i - 3, 6))) {
      const std::size_t digit = View{"0123456789abcdef"}.find(ascii_lower(c));
      if (digit == View::npos) return std::string(text);
      point = point * 16 + static_cast<std::uint32_t>(digit);
    }
    if (point > 0x10FFFF) return std::string(text);
    put_utf8(out, point);
    i = end + 1;
  }
  return printable(out, true) ? out : std::string(text);
}

// RFC 3464 2.3.1: as the sender gave it, decoded.
void put_original_recipient(std::string& out, View orcpt, bool global) {
  const std::size_t semicolon = orcpt.find(';');
  if (semicolon == View::npos) return;
  const View type = orcpt.substr(0, semicolon);
  const bool utf8 = type.size() == 5 && ascii_lower(type[0]) == 'u';
  std::string address = decoded(orcpt.substr(semicolon + 1), global);
  if (utf8 && global) address = unescaped(address);
  std::string value;
  put_clean(value, type, false);
  put_line(out, "Original-Recipient", value + ";" + address);
}

void put_recipient(std::string& out, const DsnRecipient& recipient, bool global) {
  out += "\r\n";
  if (!recipient.orcpt.empty()) put_original_recipient(out, recipient.orcpt, global);
  std::string address = is_ascii(recipient.forward_path) ? "rfc822;" : "utf-8;";  // RFC 6533 3
  put_clean(address, recipient.forward_path, global);
  put_line(out, "Final-Recipient", address);
  put_field(out, "Action", word_of(recipient.action));
  put_field(out, "Status", status_of(recipient));
  if (!recipient.host.empty()) {
    std::string host = "dns;";
    put_clean(host, recipient.host, false);
    put_field(out, "Remote-MTA", host);
  }
  if (!recipient.text.empty() || recipient.code != 0) {
    // RFC 3464 2.3.6: of a type that says whose words these are.
    std::string diagnostic = recipient.code != 0 && !recipient.ours ? "smtp;" : "x-ringpost;";
    if (recipient.code != 0) diagnostic += fmt::format(" {}", recipient.code);
    // What the reply did not name itself was made from its first digit: x.0.0.
    if (recipient.code != 0 && (recipient.status.subject != 0 || recipient.status.detail != 0) &&
        recipient.status.kind == recipient.code / 100) {
      std::array<char, smtp::EnhancedCode::kTextLength> room;
      diagnostic.append(" ").append(recipient.status.write(room));
    }
    diagnostic += ' ';
    put_clean(diagnostic, recipient.text, global);
    put_field(out, "Diagnostic-Code", diagnostic);
  }
  if (recipient.attempted != WallTime{}) put_date(out, "Last-Attempt-Date", recipient.attempted);
  if (recipient.action == DsnAction::delayed && recipient.retry_until != WallTime{})
    put_date(out, "Will-Retry-Until", recipient.retry_until);
}

}  // namespace

void put_status(std::string& out, const Dsn& dsn, bool global) {
  const message::Envelope& original = *dsn.original;
  std::string fields;
  if (!original.envid().empty()) put_field(fields, "Original-Envelope-Id", decoded(original.envid(), global));
  put_field(fields, "Reporting-MTA", "dns;" + std::string(dsn.hostname));
  if (smtp::domain_valid(original.helo()) || smtp::parse_literal(original.helo()))
    put_field(fields, "Received-From-MTA", "dns;" + std::string(original.helo()));
  put_date(fields, "Arrival-Date", original.accepted);
  put_field(fields, "X-Ringpost-Id", dsn.about.text());
  for (const DsnRecipient& recipient : dsn.recipients) put_recipient(fields, recipient, global);
  out.append("Content-Type: ").append(global ? "message/global-delivery-status" : "message/delivery-status");
  out.append("\r\nContent-Description: Delivery report\r\nContent-Transfer-Encoding: ");
  out.append(is_ascii(fields) ? "7bit" : "8bit").append("\r\n\r\n").append(fields);
}

}  // namespace ringpost::report
