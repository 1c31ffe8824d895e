// Notes of one message; see message_record.h.
#include "message_record.h"

#include <algorithm>

namespace ringpost::sink {

View header_value(View header, View name) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find('\n'), header.size());
    View line = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!equal_ignoring_case(line.substr(0, name.size()), name)) continue;
    line.remove_prefix(name.size() + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    return line;
  }
  return {};
}

std::size_t body_start(View octets, std::size_t search_from) {
  for (std::size_t at = octets.find('\n', search_from); at != View::npos; at = octets.find('\n', at + 1)) {
    const std::size_t line_end = at > 0 && octets[at - 1] == '\r' ? at - 1 : at;
    if (line_end == 0 || octets[line_end - 1] == '\n') return at + 1;
  }
  return View::npos;
}

void MessageRecord::begin(View from) {
  from_ = from;
  to_.clear();
  header_.clear();
  in_header_ = true;
  whole_.reset();
  body_.reset();
}

void MessageRecord::content(View octets) {
  whole_.take(octets);
  if (in_header_) {
    gather_header(octets);
  } else {
    body_.take(octets);
  }
}

void MessageRecord::gather_header(View octets) {
  const std::size_t looked_at = header_.size();
  header_ += octets.substr(0, kHeaderKept - std::min(kHeaderKept, header_.size()));
  const std::size_t start = body_start(header_, looked_at);
  if (start == View::npos) return;
  in_header_ = false;
  body_.take(octets.substr(start - looked_at));
  header_.resize(start);
}

void MessageRecord::write(tools::Ledger& ledger, WallTime time, const smtp::BodyFacts& facts, bool bdat) {
  View id = header_value(header_, "X-Ringpost-Source-Id");
  if (id.empty()) id = header_value(header_, "Message-ID");
  ledger.begin();
  ledger.number("time", static_cast<std::uint64_t>(time.milliseconds));
  ledger.text("id", id);
  ledger.text("from", from_);
  ledger.open_list("to");
  for (const std::string& to : to_) ledger.item(to);
  ledger.close_list();
  ledger.text("sha256", tools::view_of(whole_.hex()));
  ledger.text("body_sha256", tools::view_of(body_.hex()));
  ledger.number("bytes", facts.octets);
  ledger.truth("bare_lf", facts.bare_lf);
  ledger.truth("bare_cr", facts.bare_cr);
  ledger.truth("bdat", bdat);
  ledger.truth("tls", false);
  ledger.end();
}

}  // namespace ringpost::sink
