// Where a dialogue is played: against a session in memory, or against a running daemon.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "memory_host.h"
#include "ringpost/base/random.h"
#include "ringpost/receive.h"

namespace ringpost::dialog {

// How a client's octets are cut into pieces on their way: what the server says must not depend on it.
enum class Cutting { whole, octets, random };

class Stage {
 public:
  virtual ~Stage() = default;
  virtual void send(View octets) = 0;
  // The next line that the server said, without CRLF; nothing when there is none (and, on a network, none comes).
  virtual std::optional<std::string> line() = 0;
  // What the server said and nobody asked for.
  virtual std::string rest() = 0;
  virtual bool closed() = 0;
  // Sets the stage or makes something happen; false: this stage cannot.
  virtual bool event(View words) = 0;
  // The oldest committed message that was not asked for, as "from -> to to: content"; "none". Nothing: cannot be known
  // here.
  virtual std::optional<std::string> kept() = 0;
};

// One session in memory. Events:
//   client ADDRESS | message_size N | recipients N | errors N | max_received N     before the first octet
//   hold              commits are no longer answered at once
//   keep | keep last  the oldest (newest) awaited commit is durable
//   lose | lose ERRNO the oldest awaited commit has failed (ENOSPC, EIO)
//   refuse            no draft is given at MAIL from now on;  accept: it is again
//   full N | fail N   the sink of the next message is full (fails) at so many octets;  drained: it can take octets
//   again timeout | drain   what Session::timed_out and Session::drain are for
class MemoryStage : public Stage {
 public:
  MemoryStage(Cutting cutting, std::uint64_t seed);
  ~MemoryStage() override;
  void send(View octets) override;
  std::optional<std::string> line() override;
  std::string rest() override;
  bool closed() override;
  bool event(View words) override;
  std::optional<std::string> kept() override;

 private:
  bool set(View key, View value);
  bool happen(View what, View which);
  void answer(std::size_t index, const Result<void>& result);
  void start();
  void feed();
  void collect();

  Cutting cutting_;
  Random random_;
  config::Config config_;
  receive::Peer peer_;
  MemoryHost host_;
  receive::Pools pools_{1};
  std::optional<receive::Session> session_;
  bool holding_ = false;
  std::string input_;   // sent, not consumed
  std::string output_;  // said, not asked for
};

// A TCP connection to a daemon that relays for this machine. Knows no events.
class NetworkStage : public Stage {
 public:
  explicit NetworkStage(const SocketAddress& server);
  ~NetworkStage() override;
  void send(View octets) override;
  std::optional<std::string> line() override;
  std::string rest() override;
  bool closed() override;
  bool event(View) override { return false; }
  std::optional<std::string> kept() override { return std::nullopt; }

 private:
  bool receive(int milliseconds);

  int fd_ = -1;
  bool ended_ = false;
  std::string output_;
};

}  // namespace ringpost::dialog
