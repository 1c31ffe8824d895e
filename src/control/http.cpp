// HttpServer: cpp-httplib on threads of its own. Owned by the process around the cores. It parses and writes HTTP and
// waits; what an answer says comes from core 0, through an exchange.
//
// cpp-httplib throws in places, and catches what its handlers throw; nothing of ours throws.
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ringpost/control.h"

namespace ringpost::control {
namespace {

constexpr int kUnauthorized = 401;
constexpr int kMethodNotAllowed = 405;
constexpr int kUnavailable = 503;
constexpr std::size_t kRequestsOnConnection = 1000;
constexpr time_t kIdleSeconds = 1;  // a kept connection holds one of few threads, and stop() waits for it

// The exchange between a client's thread and core 0.
class Exchange final : public HttpExchange {
 public:
  explicit Exchange(HttpRequest request) : request_(std::move(request)) {}

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  void begin(int status, View type) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    type_ = type;
  }
  void write(View octets) override {
    const std::lock_guard lock(mutex_);
    if (!gone_) unread_.append(octets);
    changed_.notify_all();
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  void answer(int status, View type, View octets) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    type_ = type;
    if (!gone_) unread_.append(octets);
    ended_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool abandoned() const override {
    const std::lock_guard lock(mutex_);
    return gone_;
  }
  [[nodiscard]] bool full() const override {
    const std::lock_guard lock(mutex_);
    return unread_.size() >= kHttpUnread;
  }

  // ---- the client's thread
  struct Piece {
    std::string octets;
    bool ended = false;
    bool late = false;  // core 0 said nothing for kHttpPatience, or the server stops
  };
  // Waits for octets or the end.
  Piece next() {
    std::unique_lock lock(mutex_);
    const bool said = changed_.wait_for(lock, kHttpPatience, [&] { return !unread_.empty() || ended_ || gone_; });
    Piece piece{.octets = std::exchange(unread_, {}), .ended = ended_, .late = !said || gone_};
    return piece;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    unread_.clear();
    changed_.notify_all();
  }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::string& type() const { return type_; }

 private:
  HttpRequest request_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = kUnavailable;
  std::string type_;
  std::string unread_;
  bool ended_ = false;
  bool gone_ = false;
};

// cpp-httplib's own pool queues without bound; here the accepting thread waits, and the kernel's backlog behind it.
class Threads final : public httplib::TaskQueue {
 public:
  Threads() {
    for (std::size_t i = 0; i < kHttpThreads; ++i) threads_.emplace_back([this] { work(); });
  }
  void enqueue(std::function<void()> task) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ending_ || tasks_.size() < kHttpWaitingClients; });
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }
  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work() {
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return ending_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
        changed_.notify_all();
      }
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  bool ending_ = false;
};

// The library of Debian 12 knows no UNIX sockets: it is given one that listens already.
class Library : public httplib::Server {
 public:
  void adopt(int listener) { svr_sock_ = listener; }
};

// A listening UNIX socket; the error names its path.
Result<int> local_listener(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ENAMETOOLONG, "listen on " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool stale = probe >= 0 && ::connect(probe, raw, sizeof address) != 0 && errno == ECONNREFUSED;
  if (probe >= 0) ::close(probe);
  if (stale) ::unlink(path.c_str());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return fail(errno, "listen on " + path);
  constexpr mode_t kOwnerAndGroup = 0660;
  if (::bind(listener, raw, sizeof address) == 0 && ::chmod(path.c_str(), kOwnerAndGroup) == 0 &&
      ::listen(listener, static_cast<int>(kHttpWaitingClients)) == 0)
    return listener;
  const int error = errno;
  ::close(listener);
  return fail(error, "listen on " + path);
}

HttpRequest request_of(const httplib::Request& request) {
  HttpRequest out{.method = request.method,
                  .path = request.path,
                  .query = {},
                  .authorization = request.get_header_value("Authorization"),
                  .body = request.body};
  // The library takes the body for a query too where its type says that it is a form, which curl -d says of any text.
  if (request.target.find('?') == std::string::npos) return out;
  for (const auto& [key, value] : request.params) out.query.emplace_back(key, value);
  return out;
}

}  // namespace

struct HttpServer::Parts {
  explicit Parts(std::function<void(std::uint64_t)> its_post) : post(std::move(its_post)) {}

  void serve(const httplib::Request& request, httplib::Response& response);
  void forget(std::uint64_t number);
  void begin();

  std::function<void(std::uint64_t)> post;
  Library server;
  std::string local_path;  // of a UNIX socket
  std::thread accepting;
  std::atomic<bool> over = false;  // the accepting thread
  std::mutex mutex;                // of what follows
  std::map<std::uint64_t, std::shared_ptr<Exchange>> open;
  std::uint64_t next_number = 1;
  bool stopping = false;
};

HttpServer::HttpServer(std::function<void(std::uint64_t)> post) : parts_(std::make_unique<Parts>(std::move(post))) {
  httplib::Server& server = parts_->server;
  server.new_task_queue = [] { return new Threads; };  // the server deletes it
  server.set_payload_max_length(kHttpBody);
  server.set_keep_alive_max_count(kRequestsOnConnection);
  server.set_keep_alive_timeout(kIdleSeconds);
  server.set_tcp_nodelay(true);
  // Not SO_REUSEPORT, the library's default: two relays would share an address and each answer half.
  server.set_socket_options([](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  const auto patience = std::chrono::duration_cast<std::chrono::seconds>(kHttpClientPatience);
  server.set_read_timeout(patience);
  server.set_write_timeout(patience);
  // The library bounds only what a body's own length says: one without, or in chunks, would be read to its end, before
  // anybody asked for a token. RFC 9110 15.5.12.
  server.set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
    const bool may_have_body = request.method != "GET" && request.method != "HEAD";
    if (!request.has_header("Transfer-Encoding") && (!may_have_body || request.has_header("Content-Length")))
      return httplib::Server::HandlerResponse::Unhandled;
    constexpr int kLengthRequired = 411;
    response.status = kLengthRequired;
    response.set_header("Connection", "close");
    return httplib::Server::HandlerResponse::Handled;
  });
  const auto serve = [parts = parts_.get()](const httplib::Request& request, httplib::Response& response) {
    parts->serve(request, response);
  };
  server.Get(".*", serve).Post(".*", serve).Delete(".*", serve);
}

HttpServer::~HttpServer() { stop(); }

Result<SocketAddress> HttpServer::listen(const SocketAddress& address) {
  Parts& p = *parts_;
  SocketAddress host = address;
  host.port = 0;
  std::string name = host.text();  // "192.0.2.1", "[2001:db8::1]", both perhaps with ":0"
  if (name.ends_with(":0")) name.resize(name.size() - 2);
  if (name.starts_with('[')) name = name.substr(1, name.find(']') - 1);
  errno = 0;
  SocketAddress bound = address;
  if (address.port == 0)
    bound.port = static_cast<std::uint16_t>(std::max(0, p.server.bind_to_any_port(name)));
  else if (!p.server.bind_to_port(name, address.port))
    bound.port = 0;
  if (bound.port == 0) return fail(errno == 0 ? EADDRNOTAVAIL : errno, "listen on " + address.text());
  p.begin();
  return bound;
}

Result<void> HttpServer::listen_local(const std::string& path) {
  const auto listener = local_listener(path);
  if (!listener) return std::unexpected(listener.error());
  parts_->server.adopt(*listener);
  parts_->local_path = path;
  parts_->begin();
  return {};
}

void HttpServer::Parts::begin() {
  accepting = std::thread([this] {
    server.listen_after_bind();
    over = true;
  });
}

void HttpServer::stop() {
  Parts& p = *parts_;
  {
    const std::lock_guard lock(p.mutex);
    p.stopping = true;
    for (const auto& [number, exchange] : p.open) exchange->leave();
    p.open.clear();
  }
  if (!p.accepting.joinable()) return;
  while (!p.server.is_running() && !p.over) std::this_thread::yield();  // stop() is lost on one that has not begun
  p.server.stop();
  p.accepting.join();
  if (!p.local_path.empty()) ::unlink(p.local_path.c_str());
}

std::shared_ptr<HttpExchange> HttpServer::take(std::uint64_t number) {
  const std::lock_guard lock(parts_->mutex);
  const auto found = parts_->open.find(number);
  return found == parts_->open.end() ? nullptr : found->second;
}

void HttpServer::Parts::forget(std::uint64_t number) {
  const std::lock_guard lock(mutex);
  open.erase(number);
}

void HttpServer::Parts::serve(const httplib::Request& request, httplib::Response& response) {
  const auto exchange = std::make_shared<Exchange>(request_of(request));
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex);
    if (stopping) {
      response.status = kUnavailable;
      return;
    }
    number = next_number++;
    open.emplace(number, exchange);
  }
  post(number);
  Exchange::Piece first = exchange->next();
  if (first.late || first.ended) {
    exchange->leave();
    forget(number);
    response.status = first.late ? kUnavailable : exchange->status();
    // RFC 9110 15.5.2, 15.5.6: which scheme, which methods.
    if (response.status == kUnauthorized) response.set_header("WWW-Authenticate", "Bearer");
    if (response.status == kMethodNotAllowed)
      response.set_header("Allow", request.method == "GET" ? "POST" : "GET, POST");
    if (first.late)
      response.set_content("core 0 does not answer\n", "text/plain");
    else
      response.set_content(std::move(first.octets), exchange->type());
    return;
  }
  response.status = exchange->status();
  const auto left = std::make_shared<Exchange::Piece>(std::move(first));
  response.set_chunked_content_provider(
      exchange->type(),
      [exchange, left](std::size_t, httplib::DataSink& sink) {
        if (left->octets.empty() && !left->ended) *left = exchange->next();
        if (left->late) return false;
        if (!left->octets.empty() && !sink.write(left->octets.data(), left->octets.size())) return false;
        left->octets.clear();
        if (left->ended) sink.done();
        return true;
      },
      [this, exchange, number](bool) {
        exchange->leave();
        forget(number);
      });
}

}  // namespace ringpost::control
