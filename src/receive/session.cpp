// The machine of a server session: input to phases, answers, errors, and its ends. See session_parts.h for the drawing.
#include <algorithm>

#include "ringpost/base/check.h"
#include "ringpost/policy.h"
#include "session_parts.h"

namespace ringpost::receive {
namespace {

// The first octets of a TLS record with a handshake (RFC 8446 5.1): a client that speaks TLS at once to a port that
// begins in clear waits for an answer that never comes.
constexpr View kTlsHandshake = "\x16\x03";

}  // namespace

Session::Parts::Parts(const config::Config& config, const Peer& peer, Host& host, Ticket name, Pools& pools)
    : config_(config),
      host_(host),
      pools_(pools),
      name_(name),
      client_(peer.client),
      replies_(pools.parts_->chunks, pools.parts_->marks),
      commits_(name.sequence),
      may_relay_(policy::may_relay(peer.client, config)) {}

// Input before the banner was read is taken as if it came behind: an eager client harms nobody but itself.
std::size_t Session::Parts::feed(View input) {
  std::size_t consumed = 0;
  while (consumed < input.size() && takes_input()) {
    const std::size_t step_consumed = step(input.substr(consumed));
    if (step_consumed == 0) break;
    consumed += step_consumed;
    leave_if_draining();
  }
  return consumed;
}

std::size_t Session::Parts::step(View input) {
  switch (phase_) {
    case Phase::greeted:
    case Phase::ready:
    case Phase::sender:
    case Phase::recipients:
    case Phase::between:
      return take_line(input);
    case Phase::data:
      return take_data(input);
    case Phase::chunk:
      return take_chunk(input);
    case Phase::skip:
      return skip_chunk(input);
    case Phase::ended:
      return 0;
  }
  return 0;
}

// RFC 5321 2.3.8, 4.1.1: a command is a line, and only CRLF ends it. One with a lone CR or LF is refused whole, so that
// what stands behind the CR or LF is never taken for a command.
std::size_t Session::Parts::take_line(View input) {
  if (!heard_ && input.starts_with(kTlsHandshake)) {
    give_up({4, 7, 0}, "TLS is not spoken here");
    return 0;
  }
  const smtp::Line line = lines_.next(input);
  if (line.consumed > 0) heard_ = true;
  switch (line.kind) {
    case smtp::LineKind::incomplete:
      return line.consumed;
    case smtp::LineKind::complete:
      obey(smtp::split_command(line.text));
      break;
    case smtp::LineKind::bare_cr:
    case smtp::LineKind::bare_lf:
      refuse(500, {5, 5, 2}, "A line ends with CR LF, and CR and LF stand nowhere else");
      break;
    case smtp::LineKind::too_long:
      refuse(500, {5, 5, 2}, "Line too long");  // RFC 5321 4.2.2
      break;
  }
  ++progress_;
  return line.consumed;
}

bool Session::Parts::takes_input() const {
  return phase_ != Phase::ended && !replies_.lost() && replies_.awaited() < kCommitsAwaited &&
         replies_.size() < pools_.parts_->replies_held() && !(transaction_ != nullptr && transaction_->sink_full());
}

bool Session::Parts::reads_content() const {
  return phase_ == Phase::data || phase_ == Phase::chunk || phase_ == Phase::skip;
}

bool Session::Parts::between_transactions() const { return phase_ == Phase::greeted || phase_ == Phase::ready; }

Duration Session::Parts::patience() const {
  const bool ours = replies_.awaited() > 0 || (transaction_ != nullptr && transaction_->sink_full());
  if (ours) return Duration::max();
  return reads_content() ? config_.receive.timeouts.data : config_.receive.timeouts.command;
}

// RFC 5321 4.2: no enhanced code in a greeting (RFC 2034 4).
void Session::Parts::banner() {
  std::string text = config_.hostname;
  if (!config_.receive.banner.empty()) text.append(" ").append(config_.receive.banner);
  replies_.say(220, {}, text);
}

void Session::Parts::answered(std::uint32_t sequence, const Result<void>& result) {
  if (!replies_.answer(sequence, result)) return;
  ++progress_;
  if (result) {
    ++pools_.statistics.messages;
  } else {
    ++pools_.statistics.refused[4];
  }
}

void Session::Parts::sink_drained() {
  if (transaction_ == nullptr || !transaction_->sink_full()) return;
  transaction_->sink_drained();
  ++progress_;
  if (wake_ != nullptr) wake_(wake_owner_);
}

// RFC 5321 3.8: a server that must go down says 421, here between two transactions only.
void Session::Parts::leave_if_draining() {
  if (draining_ && between_transactions()) give_up({4, 3, 2}, "Service is going down");
}

void Session::Parts::close_transaction() {
  if (transaction_ != nullptr) pools_.parts_->transactions.release(*transaction_);
  transaction_ = nullptr;
  if (phase_ != Phase::ended && phase_ != Phase::greeted) phase_ = Phase::ready;
}

void Session::Parts::end() {
  close_transaction();
  phase_ = Phase::ended;
}

void Session::Parts::decline(std::uint16_t code, smtp::EnhancedCode enhanced, View text, View forward_path) {
  replies_.say(code, enhanced, text);
  ++pools_.statistics.refused[std::min(code / 100, 5)];
  const message::Draft* draft = transaction_ == nullptr ? nullptr : transaction_->draft();
  host_.refused(client_, draft == nullptr ? View{} : draft->envelope.reverse_path(), forward_path, code, enhanced,
                text);
}

void Session::Parts::refuse(std::uint16_t code, smtp::EnhancedCode enhanced, View text, View forward_path) {
  decline(code, enhanced, text, forward_path);
  const policy::Verdict verdict = policy::may_go_on(++errors_, config_);
  if (!verdict.accepted()) give_up(verdict.enhanced, verdict.text);
}

void Session::Parts::refuse(const smtp::Refusal& why, View forward_path) {
  refuse(why.code, why.enhanced, why.text, forward_path);
}

void Session::Parts::give_up(smtp::EnhancedCode enhanced, View text) {
  if (phase_ == Phase::ended) return;
  decline(421, enhanced, text);
  end();
}

void Session::Parts::count_idle_command() {
  if (++idle_commands_ > kIdleCommands) give_up({4, 7, 0}, "Too many commands without a message");
}

// ---- the face

Session::Session(const config::Config& config, const Peer& peer, Host& host, Ticket name, Pools& pools)
    : parts_(pools.parts_->sessions.acquire(config, peer, host, name, pools)) {
  CHECK(parts_ != nullptr);
  if (peer.verdict.accepted()) {
    parts_->banner();
  } else {
    parts_->give_up(peer.verdict.enhanced, peer.verdict.text);  // RFC 5321 3.1, 3.8
  }
}

Session::~Session() { parts_->pools_.parts_->sessions.release(*parts_); }

std::size_t Session::feed(View input) { return parts_->feed(input); }

bool Session::wants_input() const { return parts_->takes_input(); }

void Session::committed(std::uint32_t sequence, const Result<void>& result) { parts_->answered(sequence, result); }

void Session::drained() { parts_->sink_drained(); }

void Session::on_wake(void* owner, void (*wake)(void* owner)) {
  parts_->wake_owner_ = owner;
  parts_->wake_ = wake;
}

void Session::timed_out() { parts_->give_up({4, 4, 2}, "Timeout: closing the connection"); }

void Session::drain() {
  parts_->draining_ = true;
  parts_->leave_if_draining();
}

View Session::output() const {
  iovec piece{};
  return output({&piece, 1}) == 0 ? View{} : View{static_cast<const char*>(piece.iov_base), piece.iov_len};
}

std::size_t Session::output(std::span<iovec> pieces) const { return parts_->replies_.pieces(pieces); }

void Session::sent(std::size_t octets) {
  parts_->replies_.sent(octets);
  ++parts_->progress_;
}

bool Session::ended() const { return parts_->phase_ == Phase::ended || parts_->replies_.lost(); }

bool Session::answered() const { return parts_->replies_.size() == 0 || parts_->replies_.lost(); }

bool Session::idle() const { return parts_->transaction_ == nullptr && parts_->replies_.awaited() == 0; }

Duration Session::patience() const { return parts_->patience(); }

std::uint32_t Session::progress() const { return parts_->progress_; }

std::uint32_t Session::content() const {
  return parts_->reads_content() || parts_->phase_ == Phase::between ? parts_->contents_ : 0;
}

Pools::Pools(std::uint32_t sessions) : parts_(std::make_unique<Parts>(sessions)) {}

Pools::~Pools() { CHECK(parts_->sessions.used() == 0); }

}  // namespace ringpost::receive
