// The admin socket: sessions on a UNIX socket that take requests and stream answers. It knows the protocol, not the
// commands: core binds those. One Server, on core 0.
//
// Protocol (docs/control.md): the client sends one JSON object in a line, {"command": "...", "id": …, …}; the server
// answers with any number of JSON objects, a line each, and last {"done": true} or {"error": "…"}; then the next
// request may come. Who may connect is the socket's file mode's business (0660).
//
// Thread: core 0's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/ring.h"

namespace ringpost::control {

inline constexpr std::size_t kRequestLine = 16 * 1024;  // octets
inline constexpr std::size_t kSessions = 32;            // at once; one more is told so and closed
inline constexpr Duration kSessionIdle = 5min;
inline constexpr std::size_t kAnswerWaiting = 4 * 1024 * 1024;  // octets not read by the client before it is cut off

// What was asked. Absent keys are empty or zero; keys that no command knows are an error.
struct Request {
  std::string command;      // "status", "queue", "list", "show", "flush", "remove"
  std::string id;           // spool id
  std::string destination;  // name
  bool all = false;
  bool content = false;     // show: with the content
  std::uint64_t limit = 0;  // list: lines at most; 0: the command's default
};

// Where the answer to one request goes. Held by whoever works on it, perhaps over many turns; harmless when the client
// is gone meanwhile. Exactly one of done() and error() ends it.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void line(View json_object) = 0;
  virtual void done() = 0;
  virtual void error(View text) = 0;
  [[nodiscard]] virtual bool abandoned() const = 0;  // nobody listens any more: stop early
};

class Host {
 public:
  virtual ~Host() = default;
  virtual void execute(const Request&, std::shared_ptr<Reply>) = 0;
};

class Server {
 public:
  Server(ring::Ring&, std::string path, Host&);
  ~Server();  // idle() first
  Result<void> listen();
  void close();  // no new session; open ones end after their request
  [[nodiscard]] bool idle() const;

 private:
  friend class ServerSession;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::control
