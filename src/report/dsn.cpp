// DSNs: the header section (RFC 3834 3.1), the parts in their order (RFC 6522 3), and the means that the parts share.
#include "report/dsn.h"

#include <fmt/format.h>

#include <algorithm>

#include "ringpost/base/check.h"

namespace ringpost::report {
namespace {

constexpr std::size_t kPleasantLine = 76;

bool is_atext_or_blank(char c) {
  const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alnum || c == ' ' || View{"!#$%&'*+-/=?^_`{|}~"}.find(c) != View::npos;
}

// RFC 5322 3.4: a display name as it is, or quoted where it needs to be.
void put_phrase(std::string& out, View name) {
  if (std::ranges::all_of(name, is_atext_or_blank)) {
    out += name;
    return;
  }
  out += '"';
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

bool any(const Dsn& dsn, DsnAction action) {
  return std::ranges::any_of(dsn.recipients, [&](const DsnRecipient& one) { return one.action == action; });
}

View subject_of(const Dsn& dsn) {
  if (dsn.to_postmaster) return "Postmaster: undelivered mail without a sender";
  if (any(dsn, DsnAction::failed)) return "Undelivered mail returned to sender";
  if (any(dsn, DsnAction::delayed)) return "Delayed mail (still being tried)";
  return "Mail passed on without confirmation of delivery";
}

// RFC 2046 5.1.1: a boundary that stands in none of the parts.
std::string boundary_for(const Dsn& dsn, View parts) {
  for (std::uint64_t salt = dsn.salt;; ++salt) {
    std::string boundary = fmt::format("=_{}/{:016x}", dsn.id.text(), salt);
    if (parts.find("--" + boundary) == View::npos) return boundary;
  }
}

void put_header(std::string& out, const Dsn& dsn, View boundary, View encoding) {
  out += "From: ";
  put_phrase(out, dsn.from_name);
  out.append(" <MAILER-DAEMON@").append(dsn.hostname).append(">\r\n");
  out.append("To: <").append(dsn.to).append(">\r\n");
  put_field(out, "Subject", subject_of(dsn));
  out += "Date: ";
  message::write_date(out, dsn.now);
  out.append("\r\nMessage-ID: <").append(dsn.id.text()).append("@").append(dsn.hostname).append(">\r\n");
  // RFC 3834 3.1.5: what it answers, so that a reader shows it there.
  if (const View original = message_id(header_section(dsn.content)); !original.empty()) {
    out.append("In-Reply-To: ").append(original).append("\r\n");
    out.append("References: ").append(original).append("\r\n");
  }
  out += "Auto-Submitted: auto-replied\r\n";  // RFC 3834 5
  out += "MIME-Version: 1.0\r\n";
  out.append("Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"").append(boundary);
  out.append("\"\r\nContent-Transfer-Encoding: ").append(encoding).append("\r\n\r\n");
}

}  // namespace

bool is_ascii(View octets) {
  return std::ranges::none_of(octets, [](char c) { return static_cast<unsigned char>(c) > 127; });
}

void put_clean(std::string& out, View octets, bool utf8) {
  for (std::size_t i = 0; i < octets.size();) {
    const auto lead = static_cast<unsigned char>(octets[i]);
    std::size_t length = 1;
    bool good = lead >= 32 && lead < 127;
    if (utf8 && lead >= 0xC2) {
      length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
      const View character = octets.substr(i, length);
      const bool control = lead == 0xC2 && character.size() == 2 && static_cast<unsigned char>(character[1]) < 0xA0;
      good = character.size() == length && smtp::utf8_valid(character) && !control;
      if (!good) length = 1;
    }
    if (good)
      out += octets.substr(i, length);
    else
      out += lead == '\t' ? ' ' : '?';
    i += length;
  }
}

void put_field(std::string& out, View name, View value) {
  out.append(name).append(":");
  std::size_t line = name.size() + 1;
  while (!value.empty()) {
    const std::size_t begin = value.find_first_not_of(' ');
    if (begin == View::npos) break;
    value.remove_prefix(begin);
    const View word = value.substr(0, value.find(' '));
    value.remove_prefix(word.size());
    if (line + 1 + word.size() > kPleasantLine && line > name.size() + 1) {
      out += "\r\n";
      line = 0;
    }
    out.append(" ").append(word);
    line += 1 + word.size();
  }
  out += "\r\n";
}

DsnForm write_dsn(std::string& out, const Dsn& dsn) {
  CHECK(dsn.original != nullptr && !dsn.recipients.empty() && dsn.recipients.size() <= kDsnRecipients);
  // RFC 6533 3: an address that is not ASCII has no form in message/delivery-status.
  const bool global = dsn.original->smtputf8 || !is_ascii(dsn.to) ||
                      std::ranges::any_of(dsn.recipients, [](const auto& one) { return !is_ascii(one.forward_path); });
  const Returned original = returned_of(dsn, global);
  std::string words, status, returned;
  put_words(words, dsn, original.whole);
  put_status(status, dsn, global);
  put_returned(returned, original);

  DsnForm form;
  form.smtputf8 = !is_ascii(dsn.to);
  form.eight_bit = form.smtputf8 || !is_ascii(words) || !is_ascii(status) || !is_ascii(returned);
  const std::string boundary = boundary_for(dsn, words + status + returned);
  out.clear();
  out.reserve(words.size() + status.size() + returned.size() + 2048);
  put_header(out, dsn, boundary, form.eight_bit ? "8bit" : "7bit");
  out += "This is a report in MIME format: a reader that shows this line does not know it.\r\n";
  for (const std::string* part : {&words, &status, &returned})
    out.append("\r\n--").append(boundary).append("\r\n").append(*part);
  out.append("\r\n--").append(boundary).append("--\r\n");
  return form;
}

}  // namespace ringpost::report
