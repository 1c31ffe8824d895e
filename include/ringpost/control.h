// The operator's way in: the admin socket, and HTTP (the second half of this face), take requests and stream answers.
// This room knows the protocol and who may ask for what; what a command does is core's, which binds it by Host.
//
// Protocol (docs/control.md): the client sends one JSON object in a line, {"command": "...", "id": …, …}; the server
// answers with any number of JSON objects, a line each, and last {"done":true} or {"error":"…","kind":"…"}; then the
// next request may come. Who may connect is the socket's file mode's business (0660).
//
// Answers have back-pressure: a Reply says when so much waits for its client that its maker should stop, and tells when
// to go on. A client that does not read holds its own answer up and nothing else.
//
// Thread: core 0's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/ring.h"

namespace ringpost::control {

inline constexpr std::size_t kRequestLine = 16 * 1024;     // octets
inline constexpr std::size_t kSessions = 64;               // at once; one more is closed at once
inline constexpr Duration kSessionIdle = 5min;             // without a request
inline constexpr Duration kUnread = 2min;                  // an answer of which the client reads nothing for so long
inline constexpr Duration kEndGrace = 2s;                  // at the end: for clients to read what is answered
inline constexpr std::size_t kAnswerWaiting = 256 * 1024;  // octets not read by the client from which a Reply is full

enum class Command : std::uint8_t {
  status,
  queue,
  list,
  search,
  show,
  flush,
  hold,
  release,
  remove,
  reroute,
  suspend,
  resume,
};

// What is to be known of a command before it is executed.
struct CommandFacts {
  Command command;
  View name;
  bool changes = false;  // not for the role read-only
  View text;             // what it does, for people
};
std::span<const CommandFacts> commands();
const CommandFacts& facts_of(Command);

// What was asked. Absent keys are empty or zero; keys that no command knows are an error.
struct Request {
  Command command = Command::status;

  // ---- which messages; all that are given must hold
  std::string id;           // spool id
  std::string destination;  // name, as `queue` has it
  std::string from;         // reverse-path: "user@example.net"; "@example.net": any there; "<>": the null reverse-path
  std::string to;           // a recipient, likewise
  std::string older;        // accepted at least so long ago: "2h"
  std::string newer;        // accepted at most so long ago
  std::string error;        // words that stand in a recipient's last error, in any case
  std::uint64_t code = 0;   // reply code of a recipient's last error
  std::string state;        // "queued", "held", "failed", "damaged"
  bool all = false;         // no condition: every message

  // ---- what to do
  bool dry_run = false;     // change nothing, count
  std::string route;        // reroute: the destination to go to
  bool headers = false;     // show: with the header section
  bool content = false;     // show: with the whole content
  std::uint64_t limit = 0;  // lines of list, search and queue; 0: the command's default
  std::string after;        // list, search: the cursor that the page before ended with
  std::string by;           // who asks, for the events
};

// One request line; the error's text says which key is wrong and what would be right. Pure.
Result<Request> parse_request(View line);
// Puts one member into a request as text, as a query string has it ("true", "100"). False: `why` says what is wrong.
bool set_member(Request& request, View key, View text, std::string& why);
// The line of JSON that parse_request reads as this request.
std::string request_line(const Request& request);

// What kind of no an error is; HTTP makes its status code of it.
enum class Fault : std::uint8_t {
  usage,        // "usage": the request is wrong
  not_found,    // "not_found": no such message, destination or route
  forbidden,    // "forbidden": not for this role
  unavailable,  // "unavailable": not now, the relay ends or is overloaded
  failed,       // "failed": it was tried and did not work
};

// Where the answer to one request goes. Held by whoever works on it, perhaps over many turns; harmless when the client
// is gone meanwhile. Exactly one of done() and error() ends it.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void line(View json_object) = 0;
  // `after`: a list that has more behind it gives the cursor to go on with.
  virtual void done(View after = {}) = 0;
  virtual void error(Fault, View text) = 0;
  [[nodiscard]] virtual bool abandoned() const = 0;  // nobody listens any more: stop early
  [[nodiscard]] virtual bool full() const = 0;       // say no more until on_moved calls
  // Who to call when full() has ended or the reply is abandoned; null: nobody.
  virtual void on_moved(void* owner, void (*moved)(void* owner)) = 0;
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
  // No new session; open ones end after their request, at the latest kEndGrace after its answer.
  void close();
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
  // A whole answer, at once: begin(), write() and end() that nobody sees one by one.
  virtual void answer(int status, View type, View octets) = 0;
};

class HttpServer {
 public:
  // `post` is called on a thread of the server's with the number of an exchange that waits for core 0.
  explicit HttpServer(std::function<void(std::uint64_t number)> post);
  ~HttpServer();  // stop()s
  // Binds and begins to serve; gives the address bound. The error names it.
  Result<SocketAddress> listen(const SocketAddress&);
  // The same on a UNIX socket at `path`, mode 0660; a stale one that nobody answers on is replaced.
  Result<void> listen_local(const std::string& path);
  // Ends every exchange and thread.
  void stop();
  // The exchange of that number; null when its client is gone or the server has stopped.
  std::shared_ptr<HttpExchange> take(std::uint64_t number);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// The commands over HTTP (docs/control.md): GET or POST /v1/<command>, answered with lines of JSON. Who may do what is
// said by tokens in a file of the relay's own, which is read anew for each request: what stands there now counts.
//
// Thread: core 0's.
class HttpApi {
 public:
  // `tokens_path` empty: every exchange is an admin's; only for a socket whose file mode says who may come.
  HttpApi(ring::Ring&, std::string tokens_path, Host&);
  ~HttpApi();  // idle() first
  // Whether the token file is one; the error says what is wrong with it, and no secret. Blocks: before the loop.
  [[nodiscard]] Result<void> check() const;
  // Answers it, now or later. Null: nothing to do.
  void serve(std::shared_ptr<HttpExchange>);
  void close() { closing_ = true; }  // what comes from now on is refused
  [[nodiscard]] bool idle() const { return waiting_.empty(); }

 private:
  struct Waiting;
  void decide(Waiting&);

  ring::Ring& ring_;
  std::string tokens_path_;
  Host& host_;
  std::vector<std::unique_ptr<Waiting>> waiting_;  // for their tokens to be looked up
  bool closing_ = false;
};

}  // namespace ringpost::control
