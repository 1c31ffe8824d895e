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
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ringpost/base/address.h"
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

// ---- HTTP ----
//
// A small server for programs (metrics, health, the operator's commands as JSON): threads of its own talk HTTP, core 0
// answers. A request becomes an HttpExchange, its number is posted to core 0, which takes it, writes and ends it; the
// client's thread waits meanwhile. Everything is bounded: threads, connections that wait, a body, an answer's time.

inline constexpr std::size_t kHttpThreads = 4;  // connections served at once
inline constexpr std::size_t kHttpWaitingClients =
    64;                                              // connections taken and not yet served; others wait in the kernel
inline constexpr std::size_t kHttpBody = 64 * 1024;  // octets of a request's body
inline constexpr std::size_t kHttpUnread =
    256 * 1024;                                      // octets of an answer not yet given to the client: then it is full
inline constexpr Duration kHttpPatience = 30s;       // for core 0's next octets
inline constexpr Duration kHttpClientPatience = 5s;  // for the client's next octets, and to take ours

struct HttpRequest {
  std::string method;                                      // "GET"
  std::string path;                                        // without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::string authorization;                               // the header's value; empty: none
  std::string body;
};

// One request and its answer. Any thread; harmless when the client is gone.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  [[nodiscard]] virtual const HttpRequest& request() const = 0;
  // Once, before the first write: status code and media type.
  virtual void begin(int status, View type) = 0;
  virtual void write(View octets) = 0;
  virtual void end() = 0;
  [[nodiscard]] virtual bool abandoned() const = 0;  // nobody listens any more
  [[nodiscard]] virtual bool full() const = 0;       // write no more until the client has read
  // A whole answer.
  void answer(int status, View type, View octets) {
    begin(status, type);
    write(octets);
    end();
  }
};

class HttpServer {
 public:
  // `post` is called on a thread of the server's with the number of an exchange that waits for core 0.
  explicit HttpServer(std::function<void(std::uint64_t number)> post);
  ~HttpServer();  // stop()s
  // Binds and begins to serve; gives the address bound. The error names it.
  Result<SocketAddress> listen(const SocketAddress&);
  // Ends every exchange and thread.
  void stop();
  // The exchange of that number; null when its client is gone or the server has stopped.
  std::shared_ptr<HttpExchange> take(std::uint64_t number);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::control
