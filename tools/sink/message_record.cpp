// Notes of one message; see message_record.h.
#include "message_record.h"

#include <algorithm>

#include "tools/common/header.h"

namespace ringpost::sink {

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
  const std::size_t start = tools::body_start(header_, looked_at);
  if (start == View::npos) return;
  in_header_ = false;
  body_.take(octets.substr(start - looked_at));
  header_.resize(start);
}

void MessageRecord::write(tools::Ledger& ledger, WallTime time, const smtp::BodyFacts& facts, bool bdat) {
  View id = tools::header_value(header_, "X-Ringpost-Source-Id");
  if (id.empty()) id = tools::header_value(header_, "Message-ID");
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
