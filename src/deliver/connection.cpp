// A connection's life, from its first host to its last completion.
#include "deliver/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "deliver/pool.h"

namespace ringpost::deliver {
namespace {

constexpr smtp::EnhancedCode kNoAnswer{4, 4, 1};
constexpr smtp::EnhancedCode kOurSystem{4, 3, 0};

View words(int error) {
  const char* const text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

std::uint64_t nanoseconds(Duration duration) { return static_cast<std::uint64_t>(duration.count()); }

// Where this machine has run out of something: what to do. Empty: not so.
View remedy(int error) {
  switch (error) {
    case EMFILE:
      return "raise LimitNOFILE";
    case ENFILE:
      return "raise fs.file-max";
    case ENOBUFS:
    case ENOMEM:
      return "the kernel has no memory for one more socket: see net.ipv4.tcp_mem";
    case EADDRNOTAVAIL:
    case EADDRINUSE:
      return "no local port is free: widen net.ipv4.ip_local_port_range, or lower deliver.connections";
    default:
      return {};
  }
}

// A packet filter of this machine's: of this host, perhaps, and not of the next one.
bool is_forbidden(int error) { return error == EPERM || error == EACCES; }

}  // namespace

static_assert(route::kMostHosts <= UINT8_MAX);

Connection::Connection(Pool& pool, Destination& destination, std::shared_ptr<const route::Way> way)
    : pool_(pool), destination_(destination), way_(std::move(way)) {
  CHECK(host_count() <= order_.size());
  choose_order();
  wake();
}

// As the way has them, but those that failed lately come last: with a dead first host, each connection would wait for
// it.
void Connection::choose_order() {
  std::size_t chosen = 0;
  const Instant now = pool_.ring().now();
  for (const bool resting : {false, true})
    for (std::size_t i = 0; i < host_count(); ++i)
      if (destination_.rests(way_->hosts->list[i].address, now) == resting)
        order_[chosen++] = static_cast<std::uint8_t>(i);
}

void Connection::wake() { pool_.ring().defer(turn_); }

void Connection::leave() {
  leaving_ = true;
  if (phase_ == Phase::talking && reached_) session_->quit();
  if (phase_ == Phase::connecting || (phase_ == Phase::talking && !reached_)) close("not needed any more");
  wake();
}

void Connection::abort() {
  leaving_ = true;
  if (phase_ == Phase::connecting || phase_ == Phase::talking) close("this relay goes down");
  wake();
}

void Connection::on_turn() {
  switch (phase_) {
    case Phase::fresh:
      return leaving_ ? pool_.retire(*this, destination_) : try_host();
    case Phase::connecting:
      return;
    case Phase::talking:
      pump();
      return pool_.note(*this);
    case Phase::closing:
      if (!in_kernel()) after_close();
      return;
  }
}

bool Connection::in_kernel() const { return connect_.in_kernel() || receive_.in_kernel() || send_.in_kernel(); }

// ---- hosts

// Begins with the host whose turn it is, or says that there is none left. Only from a turn: it may end this object.
void Connection::try_host() {
  for (; host_index_ < host_count() && !shortage_; ++host_index_) {
    begun_at_ = pool_.ring().now();
    const Result<ring::Socket> made = pool_.ring().socket_to(host().address, SocketAddress{});
    if (!made) {
      note_connect_failure(made.error().code);
      if (shortage_) break;
      continue;
    }
    socket_ = *made;
    phase_ = Phase::connecting;
    pool_.ring().connect(connect_, socket_, host().address);
    const Duration patience = pool_.config().deliver.timeouts.connect;
    return set_deadline(last_host() ? patience : std::min(patience, kNextHostAfter));
  }
  give_up();
}

void Connection::give_up() {
  if (host_count() == 0) note_failure(finding({4, 4, 4}, "the destination has no hosts"));
  host_index_ = std::min(host_index_, host_count() - std::size_t{host_count() > 0});
  if (shortage_) {
    ++pool_.statistics().shortages;
    pool_.host().shortage(destination_.id, last_, attempt(begun_at_));
  } else {
    pool_.host().unreachable(destination_.id, last_, attempt(begun_at_));
  }
  pool_.retire(*this, destination_);
}

void Connection::note_failure(const message::Outcome& outcome) {
  last_text_.assign(outcome.text.substr(0, message::State::kTextLimit));
  last_ = outcome;
  last_.text = last_text_;
}

void Connection::note_connect_failure(int error) {
  ++pool_.statistics().connect_failures;
  shortage_ = !remedy(error).empty();
  const bool ours = shortage_ || is_forbidden(error);
  std::string text = ours ? "this host cannot connect to " : "connect to ";
  if (!host().name.empty()) text.append(host().name).append(" ");
  text.append(host().address.text()).append(": ").append(words(error));
  if (shortage_) text.append("; ").append(remedy(error));
  note_failure(finding(ours ? kOurSystem : kNoAnswer, text));
}

void Connection::on_connect(const ring::Completion& done) {
  if (phase_ == Phase::closing) return close_if_quiet();
  if (done.result == 0) return begin_talk();
  error_ = -done.result;
  close(words(error_));
}

void Connection::begin_talk() {
  phase_ = Phase::talking;
  ++pool_.statistics().connections;
  connected_at_ = pool_.ring().now();
  pool_.statistics().connect_time.record(nanoseconds(connected_at_ - begun_at_));
  messages_ = 0;
  source_ = pool_.ring().local_address(socket_).value_or(SocketAddress{});
  config::Manners manners = way_->manners;
  manners.chunking = manners.chunking && !destination_.bdat_unknown;
  session_.emplace(pool_.config().hostname, manners, pool_.config().deliver.timeouts, *this);
  progress_ = 0;
  send_failed_ = watched_ = false;
  moved_at_ = pool_.ring().now();
  pool_.ring().receive(receive_, socket_);
  set_deadline(session_->patience());
}

// ---- talking

void Connection::on_receive(const ring::Completion& done) {
  if (phase_ == Phase::closing) return close_if_quiet();
  if (!done.received.empty()) {
    session_->feed(done.received);
    wake();
  }
  if (!done.final) return;
  if (send_failed_) return close(why_);
  close(done.result == 0 ? View{"connection closed by the peer"} : words(-done.result));
}

void Connection::on_send(const ring::Completion& done) {
  const bool whole = done.result >= 0 && static_cast<std::size_t>(done.result) == sending_;
  sending_ = 0;
  if (phase_ == Phase::closing) return close_if_quiet();
  if (whole) {
    session_->sent(static_cast<std::size_t>(done.result));
    return wake();
  }
  send_failed_ = true;
  why_ = done.result < 0 ? words(-done.result) : View{"connection broken while sending"};
  if (!receive_.in_kernel()) return close(why_);
  set_deadline(kLastWords);
}

// Everything that this turn asked for, in one send.
void Connection::pump() {
  if (send_failed_) {
    if (session_->ended()) close(why_);
    return;
  }
  bool said = false;
  const bool idle_before = sending_ == 0 && session_->in_flight() == 0;
  if (send_.in_kernel()) {
    watch_send();
  } else if (!session_->ended()) {
    const std::span<const iovec> pieces = session_->output();
    if (phase_ != Phase::talking) return;  // core ended this while it was asked for work
    for (const iovec& piece : pieces) sending_ += piece.iov_len;
    said = !pieces.empty();
    if (said) pool_.ring().send(send_, socket_, pieces);
  }
  if (session_->ended()) return close({});
  if ((said && idle_before) || session_->progress() != progress_) moved_at_ = pool_.ring().now();
  // A peer that drips octets makes no progress, so its time runs on.
  if (said || session_->progress() != progress_) set_deadline(session_->patience());
}

void Connection::set_deadline(Duration patience) {
  deadline_ = pool_.ring().now() + patience;
  if (session_) progress_ = session_->progress();
  for (std::size_t i = 0; i < begun_count_; ++i) deadline_ = std::min(deadline_, begun_[i].at + kLongestAttempt);
  // Deadlines mostly move on with each turn: the timer stays where it is and looks when it fires.
  if (!timer_.armed() || timer_.due() > deadline_) pool_.ring().arm(timer_, deadline_);
}

// The peer reads nothing, or does not answer. It may come round, so what it has stays with it until its time is over.
bool Connection::stalled() const {
  return (sending_ > 0 || session_->in_flight() > 0) && pool_.ring().now() >= moved_at_ + kStalledAfter;
}

// Somebody woke this connection for a job that it can ask for only when its send is over.
void Connection::watch_send() {
  watched_ = session_->can_take_work();
  const Instant at = moved_at_ + kStalledAfter;
  if (watched_ && timer_.due() > at) pool_.ring().arm(timer_, at);
}

void Connection::look_at_watch() {
  if (!watched_) return;
  watched_ = phase_ == Phase::talking && send_.in_kernel() && !stalled();
  if (!watched_ && phase_ == Phase::talking && stalled()) pool_.host().stalled(destination_.id);
}

void Connection::on_timer() {
  const Instant now = pool_.ring().now();
  look_at_watch();
  if (now < deadline_)
    return pool_.ring().arm(timer_, watched_ ? std::min(deadline_, moved_at_ + kStalledAfter) : deadline_);
  switch (phase_) {
    case Phase::fresh:
    case Phase::closing:
      return;
    case Phase::connecting:
      error_ = ETIMEDOUT;
      return close(words(error_));
    case Phase::talking:
      break;
  }
  if (send_failed_) return close(why_);
  session_->timed_out();
  set_deadline(session_->patience());
  wake();
}

// ---- the end

// What is in the kernel is called back; the rest comes in after_close().
void Connection::close(View why) {
  if (phase_ == Phase::closing) return;
  if (why.data() != why_.data()) why_.assign(why);
  phase_ = Phase::closing;
  timer_.disarm();
  for (ring::Operation* operation : {&connect_, &receive_, &send_})
    if (operation->in_kernel()) pool_.ring().cancel(*operation);
  close_if_quiet();
}

void Connection::close_if_quiet() {
  if (!in_kernel()) wake();
}

// Nothing of this connection is in the kernel: jobs go back, the socket goes, and the next host has its turn if this
// one never came so far that mail could be sent. Only from a turn.
void Connection::after_close() {
  pool_.ring().close(std::exchange(socket_, {}));
  if (session_) {
    session_->broken(why_);
    message::Outcome refused;
    if (session_->refused(refused)) note_failure(refused);
    session_.reset();
    pool_.host().connection_over(destination_.id, messages_, attempt(begun_at_));
  } else if (!leaving_) {
    note_connect_failure(error_);
  }
  CHECK(begun_count_ == 0);
  if (reached_ || leaving_) return pool_.retire(*this, destination_);
  if (!shortage_) destination_.rest(host().address, pool_.ring().now());
  ++host_index_;
  phase_ = Phase::fresh;
  try_host();
}

// ---- what the session says, told to core

Attempt Connection::attempt(Instant since) const {
  Attempt out{.host = {}, .host_name = {}, .source = source_, .site = way_->name, .took = pool_.ring().now() - since};
  if (host_count() == 0) return out;
  out.host = host().address;
  out.host_name = host().name;
  return out;
}

Connection::Begun& Connection::begun(const Job& job) {
  for (std::size_t i = 0; i < begun_count_; ++i)
    if (begun_[i].job == &job) return begun_[i];
  check_failed("a job that this connection has not taken", std::source_location::current());
}

Connection::Begun Connection::forget(const Job& job) {
  Begun& place = begun(job);
  return std::exchange(place, begun_[--begun_count_]);
}

Job* Connection::next() {
  if (leaving_) return nullptr;
  Job* const job = pool_.host().next(destination_.id);
  if (job == nullptr) return nullptr;
  CHECK(begun_count_ < begun_.size());
  const Instant now = pool_.ring().now();
  begun_[begun_count_++] = {.job = job, .at = now, .enveloped = now};
  ++pool_.statistics().transactions;
  return job;
}

void Connection::outcome(Job& job, std::uint32_t recipient, const message::Outcome& outcome) {
  using Kind = message::Outcome::Kind;
  Begun& taken = begun(job);
  Statistics& statistics = pool_.statistics();
  switch (outcome.kind) {
    case Kind::delivered:
      ++statistics.delivered;
      taken.delivered = true;
      break;
    case Kind::later:
      ++statistics.later;
      break;
    case Kind::never:
      ++statistics.never;
      break;
  }
  pool_.host().outcome(job, recipient, outcome, attempt(taken.at));
}

void Connection::done(Job& job) {
  if (const Begun taken = forget(job); taken.delivered) {
    Statistics& statistics = pool_.statistics();
    statistics.octets += job.content->size();
    statistics.envelope_time.record(nanoseconds(taken.enveloped - taken.at));
    statistics.content_time.record(nanoseconds(pool_.ring().now() - taken.enveloped));
    ++messages_;
  }
  pool_.host().done(job);
}

void Connection::returned(Job& job) {
  forget(job);
  pool_.host().returned(job);
}

void Connection::envelope_answered(Job& job) { begun(job).enveloped = pool_.ring().now(); }

void Connection::bdat_unknown() { destination_.bdat_unknown = true; }

void Connection::reached() {
  reached_ = true;
  pool_.statistics().greeting_time.record(nanoseconds(pool_.ring().now() - connected_at_));
  destination_.recovered(host().address);
  pool_.host().reached(destination_.id);
}

}  // namespace ringpost::deliver
