// DATA and BDAT: the content of a message comes in and ends in a commit or a refusal. Content that will not be taken is
// still read to its end, so that session and client agree on where the next command begins.
#include <algorithm>

#include <fmt/format.h>

#include "ringpost/base/check.h"
#include "session_parts.h"

namespace ringpost::receive {
namespace {

constexpr Denial kNoRecipients{554, {5, 5, 1}, "No valid recipients"};

}  // namespace

void Session::Parts::data(View argument) {
  if (!argument.empty()) return refuse(501, {5, 5, 4}, "DATA takes no argument");
  if (phase_ == Phase::between) return wrong_order("BDAT has begun");  // RFC 3030 2
  if (transaction_ == nullptr) return wrong_order("MAIL comes first");
  if (phase_ == Phase::sender) return refuse(kNoRecipients.code, kNoRecipients.enhanced, kNoRecipients.text);
  content_begins(Transaction::Manner::data);
  phase_ = Phase::data;
  say("354 End data with <CR><LF>.<CR><LF>\r\n");
}

void Session::Parts::content_begins(Transaction::Manner manner) {
  ++contents_;
  transaction_->begin_content(manner, this, [](void* parts) { static_cast<Parts*>(parts)->sink_drained(); });
}

std::size_t Session::Parts::take_data(View input) {
  const std::size_t consumed = transaction_->take_data(input, config_);
  ++progress_;
  if (transaction_->data_ended()) content_complete();
  return consumed;
}

// RFC 3030 2: the octets of a chunk follow whatever the answer will be, so they are always read.
void Session::Parts::bdat(View argument) {
  const auto parsed = smtp::parse_bdat(argument);
  if (!parsed) {
    refuse(parsed.error());
    return end();  // where the next command begins is anybody's guess
  }
  chunk_last_ = parsed->last;
  if (parsed->size == 0 && !parsed->last) count_idle_command();
  if (phase_ != Phase::ended) begin_chunk(parsed->size);
}

void Session::Parts::begin_chunk(std::uint64_t size) {
  chunk_left_ = size;
  if (transaction_ == nullptr) {
    ++contents_;
    after_skip_ = phase_;
    phase_ = Phase::skip;
    if (size == 0) chunk_skipped();
    return;
  }
  if (phase_ == Phase::sender) transaction_->deny(kNoRecipients);
  if (phase_ != Phase::between) content_begins(Transaction::Manner::bdat);
  phase_ = Phase::chunk;
  chunk_octets_ = size;
  if (size == 0) chunk_complete();
}

std::size_t Session::Parts::take_chunk(View input) {
  const std::size_t octets = std::min<std::uint64_t>(input.size(), chunk_left_);
  transaction_->take_chunk(input.substr(0, octets), config_);
  chunk_left_ -= octets;
  ++progress_;
  if (chunk_left_ == 0) chunk_complete();
  return octets;
}

std::size_t Session::Parts::skip_chunk(View input) {
  const std::size_t octets = std::min<std::uint64_t>(input.size(), chunk_left_);
  chunk_left_ -= octets;
  ++progress_;
  if (chunk_left_ == 0) chunk_skipped();
  return octets;
}

void Session::Parts::chunk_skipped() {
  phase_ = after_skip_;
  wrong_order("MAIL and RCPT come first");
}

void Session::Parts::chunk_complete() {
  if (chunk_last_) return content_complete();
  phase_ = Phase::between;
  if (transaction_->denial().given()) return tell_denial();
  char text[40];
  const auto end = fmt::format_to_n(text, sizeof text, "{} octets received", chunk_octets_).out;
  replies_.say(250, {2, 0, 0}, View{text, end});
}

// A denied message gets the same answer for each of its chunks; only the first of them counts as the client's error.
void Session::Parts::tell_denial() {
  const Denial why = transaction_->denial();
  if (transaction_->tell_denial()) return refuse(why.code, why.enhanced, why.text);
  replies_.say(why.code, why.enhanced, why.text);
}

// A lone CR or LF is never repaired: each repair is somebody's way to smuggle a message past somebody else's (RFC
// 5321 2.3.8, 4.1.1.4). The connection ends too: client and server may disagree on what it said.
void Session::Parts::content_complete() {
  transaction_->complete(config_);
  if (transaction_->bare()) {
    refuse(550, {5, 6, 0}, "A CR or LF in the content stands alone");
    return end();
  }
  if (transaction_->denial().given()) {
    tell_denial();
  } else {
    commit();
  }
  close_transaction();
}

void Session::Parts::commit() {
  ++commits_;
  replies_.say_when_kept(commits_, transaction_->draft()->id);
  pools_.statistics.octets += transaction_->octets();
  errors_ = 0;
  idle_commands_ = 0;
  transaction_->commit({name_.slot, name_.generation, commits_}, config_.hostname);
}

}  // namespace ringpost::receive
