// Streams of the simulated network: segments, windows, ends and resets; and its datagrams.
#include "network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ringpost::sim {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::size_t kSmallSegment = 16;
constexpr Duration kUnreachableAfter = 3s;

}  // namespace

// ---- endpoints

void Endpoint::attach(EndpointEvents* events) {
  events_ = events;
  if (events != nullptr && (!readable().empty() || end_ || error_ != 0)) network_->tell_readable(*this);
}

std::size_t Endpoint::write(View octets) {
  if (!can_write()) return 0;
  Endpoint& to = *other_;
  NetworkConditions& conditions = network_->conditions_;
  const std::size_t waiting = to.arrived_.size() - to.taken_ + to.on_the_way_;
  const std::size_t room = conditions.window > waiting ? conditions.window - waiting : 0;
  const std::size_t n = std::min(room, octets.size());
  blocked_ = n < octets.size();
  const bool small = network_->random_.chance(conditions.cut_small, kMillion);
  for (std::size_t at = 0; at < n;) {
    const std::size_t most = small ? kSmallSegment : conditions.segment_most;
    std::size_t length = std::min(n - at, most);
    if (small || network_->random_.chance(1, 4)) length = 1 + static_cast<std::size_t>(network_->random_.below(length));
    network_->deliver(to, std::string(octets.substr(at, length)));
    at += length;
  }
  written_ += n;
  return n;
}

void Endpoint::consume(std::size_t octets) {
  CHECK(octets <= readable().size());
  taken_ += octets;
  if (other_) {
    auto& read = other_->read_by_other_;
    read.emplace_back((read.empty() ? 0 : read.back().first) + octets, network_->schedule_.now());
  }
  if (taken_ == arrived_.size()) {
    arrived_.clear();
    taken_ = 0;
  }
  if (!other_ || !other_->blocked_ || silent_) return;
  other_->blocked_ = false;
  network_->schedule_.after(network_->latency(), [writer = other_] {
    if (writer->events_ != nullptr && !writer->closed_) writer->events_->on_writable();
  });
}

std::optional<Instant> Endpoint::read_by_other(std::uint64_t octets) const {
  for (const auto& [total, when] : read_by_other_)
    if (total >= octets) return when;
  return std::nullopt;
}

void Endpoint::shutdown_write() {
  if (!connected_ || shut_ || closed_ || error_ != 0) return;
  shut_ = true;
  network_->deliver_end(*other_);
}

void Endpoint::close() {
  if (closed_) return;
  if (connected_ && !readable().empty()) {
    reset();
    return;
  }
  shutdown_write();
  end_here();
}

void Endpoint::reset() {
  if (closed_) return;
  if (connected_ && error_ == 0) network_->break_end(*other_, ECONNRESET);
  end_here();
}

void Endpoint::end_here() {
  closed_ = true;
  events_ = nullptr;
  if (!other_ || !other_->closed_) return;
  other_->other_.reset();
  other_.reset();
}

void Endpoint::go_silent() {
  silent_ = true;
  if (other_) other_->silent_ = true;
}

// ---- listeners

EndpointPointer Listener::take() {
  CHECK(waiting());
  EndpointPointer first = std::move(queue_.front());
  queue_.pop_front();
  return first;
}

Result<ListenerPointer> Network::listen(SocketAddress address, ListenerEvents& events, std::size_t backlog,
                                        bool share) {
  if (address.port == 0) address.port = next_port_++;
  auto& there = listeners_[address];
  if (!there.empty() && !share) return fail(EADDRINUSE, "listen on " + address.text());
  auto listener = std::make_shared<Listener>();
  listener->address_ = address;
  listener->events_ = &events;
  listener->backlog_ = backlog;
  there.push_back(listener);
  return listener;
}

void Network::close(Listener& listener) {
  listener.open_ = false;
  for (const EndpointPointer& waiting : listener.queue_) waiting->reset();
  listener.queue_.clear();
  auto& there = listeners_[listener.address_];
  std::erase_if(there, [&](const ListenerPointer& each) { return each.get() == &listener; });
}

ListenerPointer Network::pick(const SocketAddress& address) {
  const SocketAddress anywhere = SocketAddress::v4(0, 0, 0, 0, address.port);
  for (const SocketAddress& key : {address, anywhere}) {
    const auto it = listeners_.find(key);
    if (it == listeners_.end() || it->second.empty()) continue;
    return it->second[static_cast<std::size_t>(random_.below(it->second.size()))];
  }
  return nullptr;
}

SocketAddress Network::local_name(const std::string& path) {
  const auto [it, fresh] = local_names_.emplace(path, static_cast<std::uint16_t>(local_names_.size() + 1));
  return SocketAddress::v4(0, 0, 0, 1, it->second);  // 0.0.0.0/8 is nobody's
}

// ---- connections

void Network::down(const SocketAddress& address, Down how) { down_[address] = how; }

Network::~Network() {
  for (const auto& weak : made_)
    if (const EndpointPointer end = weak.lock()) end->other_.reset();
}

EndpointPointer Network::make(const SocketAddress& source) {
  if (made_.size() >= prune_at_) {
    std::erase_if(made_, [](const auto& weak) { return weak.expired(); });
    prune_at_ = 2 * made_.size() + 64;
  }
  auto made = std::make_shared<Endpoint>();
  made_.push_back(made);
  made->network_ = this;
  made->local_ = source;
  return made;
}

void Network::connect(Endpoint& caller, const SocketAddress& remote) {
  caller.remote_ = remote;
  if (!caller.local_.known() || caller.local_.is_unspecified()) caller.local_ = SocketAddress::v4(10, 0, 0, 1, 0);
  if (caller.local_.port == 0) caller.local_.port = next_port_++;
  const EndpointPointer self = caller.shared_from_this();
  const auto it = down_.find(remote);
  Down how = it == down_.end() ? Down::no : it->second;
  if (how == Down::no && conditions_.refuse > 0 && random_.chance(conditions_.refuse, kMillion)) how = Down::refused;
  const auto fail_after = [&](Duration delay, int code) {
    schedule_.after(delay, [this, self, code] { break_end(*self, code); });
  };
  switch (how) {
    case Down::refused:
      return fail_after(latency(), ECONNREFUSED);
    case Down::silent:
      return fail_after(kConnectTimeout, ETIMEDOUT);
    case Down::unreachable:
      return fail_after(kUnreachableAfter, EHOSTUNREACH);
    case Down::no:
      break;
  }
  schedule_.after(latency(), [this, self, remote] { establish(self, remote); });
}

void Network::establish(const EndpointPointer& caller, const SocketAddress& remote) {
  if (caller->closed_) return;
  const ListenerPointer listener = pick(remote);
  if (!listener || listener->queue_.size() >= listener->backlog_) {
    trace_.add(schedule_.now(), Trace::kWorld, "refused: port", remote.port);
    break_end(*caller, ECONNREFUSED);
    return;
  }
  EndpointPointer callee = make(remote);
  callee->remote_ = caller->local_;
  callee->other_ = caller;
  caller->other_ = callee;
  callee->connected_ = true;
  if (conditions_.vanish > 0 && random_.chance(conditions_.vanish, kMillion))
    callee->vanish_after_ = static_cast<std::int64_t>(random_.below(30));
  trace_.add(schedule_.now(), Trace::kWorld, "connection: from port, to port", caller->local_.port, remote.port);
  listener->queue_.push_back(callee);
  const Instant when = arrival(*caller);
  schedule_.at(when, [caller] {
    if (caller->closed_ || caller->error_ != 0) return;
    caller->connected_ = true;
    if (caller->events_ != nullptr) caller->events_->on_connected();
  });
  listener->events_->on_connection();
}

// ---- segments

Duration Network::latency() {
  const auto range = static_cast<std::uint64_t>((conditions_.latency_most - conditions_.latency_least).count());
  return conditions_.latency_least + Duration{static_cast<std::int64_t>(random_.below(range + 1))};
}

Instant Network::arrival(Endpoint& to) {
  Duration taken = latency();
  if (conditions_.stall > 0 && random_.chance(conditions_.stall, kMillion))
    taken +=
        Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(conditions_.stall_most.count())))};
  to.last_arrival_ = std::max(to.last_arrival_, schedule_.now() + taken);
  return to.last_arrival_;
}

void Network::tell_readable(Endpoint& to) {
  schedule_.after(Duration{0}, [end = to.shared_from_this()] {
    if (end->events_ != nullptr && !end->closed_) end->events_->on_readable();
  });
}

void Network::deliver(Endpoint& to, std::string octets) {
  to.on_the_way_ += octets.size();
  Endpoint& counted = to.vanish_after_ >= 0 ? to : *to.other_;
  if (counted.vanish_after_ >= 0 && --counted.vanish_after_ < 0) {
    trace_.add(schedule_.now(), Trace::kWorld, "silent from now: ports", to.local_.port, to.remote_.port);
    to.go_silent();
  }
  if (to.silent_ || to.doomed_) return;
  if (conditions_.reset > 0 && random_.chance(conditions_.reset, kMillion)) {
    trace_.add(schedule_.now(), Trace::kWorld, "reset: ports", to.local_.port, to.remote_.port);
    to.doomed_ = to.other_->doomed_ = true;  // no octet overtakes one that was lost
    break_end(to, ECONNRESET);
    break_end(*to.other_, ECONNRESET);
    return;
  }
  schedule_.at(arrival(to), [this, end = to.shared_from_this(), octets = std::move(octets)] {
    end->on_the_way_ -= octets.size();
    if (end->silent_ || end->error_ != 0) return;
    if (end->closed_) {
      if (end->other_) break_end(*end->other_, ECONNRESET);
      return;
    }
    end->arrived_ += octets;
    if (end->events_ != nullptr) end->events_->on_readable();
  });
}

void Network::deliver_end(Endpoint& to) {
  if (to.silent_ || to.doomed_) return;
  schedule_.at(arrival(to), [end = to.shared_from_this()] {
    if (end->silent_ || end->closed_ || end->error_ != 0) return;
    end->end_ = true;
    if (end->events_ != nullptr) end->events_->on_readable();
  });
}

// A reset overtakes nothing that has arrived, but what is still on the way is lost.
void Network::break_end(Endpoint& to, int code) {
  if (to.silent_) return;
  schedule_.after(to.connected_ ? latency() : Duration{0}, [end = to.shared_from_this(), code] {
    if (end->closed_ || end->error_ != 0 || end->silent_) return;
    end->error_ = code;
    if (end->events_ == nullptr) return;
    end->events_->on_readable();
    if (end->events_ != nullptr && end->blocked_) end->events_->on_writable();
  });
}

// ---- datagrams

SocketAddress Network::bind(SocketAddress address, DatagramEvents& events) {
  if (address.port == 0) address.port = next_port_++;
  bound_[address] = &events;
  return address;
}

void Network::tell_datagram_error(const SocketAddress& sender, Duration delay, int code) {
  schedule_.after(delay, [this, sender, code] {
    const auto found = bound_.find(sender);
    if (found != bound_.end()) found->second->on_datagram_error(code);
  });
}

void Network::send_datagram(const SocketAddress& from, const SocketAddress& to, std::string octets) {
  const auto down = down_.find(to);
  switch (down == down_.end() ? Down::no : down->second) {
    case Down::refused:
      return tell_datagram_error(from, latency(), ECONNREFUSED);
    case Down::silent:
      return;
    case Down::unreachable:
      return tell_datagram_error(from, kUnreachableAfter, EHOSTUNREACH);
    case Down::no:
      break;
  }
  if (conditions_.lose > 0 && random_.chance(conditions_.lose, kMillion)) return;
  const bool twice = conditions_.repeat > 0 && random_.chance(conditions_.repeat, kMillion);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    Duration taken = latency();
    if (conditions_.stall > 0 && random_.chance(conditions_.stall, kMillion))
      taken += Duration{
          static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(conditions_.stall_most.count())))};
    schedule_.after(taken, [this, from, to, octets] {
      const auto found = bound_.find(to);
      if (found != bound_.end())
        found->second->on_datagram(octets, from);
      else
        tell_datagram_error(from, latency(), ECONNREFUSED);
    });
  }
}

}  // namespace ringpost::sim
