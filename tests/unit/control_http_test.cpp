// HTTP: a request reaches whoever answers as it was, and its answer the client; a server that stops keeps nobody
// waiting.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "ringpost/base/fd.h"
#include "ringpost/control.h"

using namespace ringpost;
using control::HttpExchange;
using control::HttpServer;

namespace {

// Core 0's part: a thread that takes each exchange and answers it.
class Answering {
 public:
  explicit Answering(std::function<void(HttpExchange&)> answer)
      : server_([this](std::uint64_t number) { post(number); }), thread_([this, answer] { run(answer); }) {
    const auto bound = server_.listen(SocketAddress::v4(127, 0, 0, 1, 0));
    REQUIRE(bound);
    address = *bound;
  }
  ~Answering() {
    server_.stop();
    post(0);
  }
  void stop() { server_.stop(); }

  SocketAddress address;

 private:
  void post(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    numbers_.push_back(number);
    posted_.notify_all();
  }
  void run(const std::function<void(HttpExchange&)>& answer) {
    for (;;) {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [this] { return !numbers_.empty(); });
      const std::uint64_t number = numbers_.front();
      numbers_.pop_front();
      lock.unlock();
      if (number == 0) return;
      if (const auto exchange = server_.take(number)) answer(*exchange);
    }
  }

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::uint64_t> numbers_;
  HttpServer server_;
  std::jthread thread_;
};

// Sends `request` and gives all that comes until the server closes.
std::string talk(const SocketAddress& to, const std::string& request) {
  sockaddr_storage storage{};
  const auto length = to.to_sockaddr(storage);
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), static_cast<socklen_t>(length)) == 0);
  REQUIRE(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
  std::string got;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
    got.append(buffer, static_cast<std::size_t>(n));
  return got;
}

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("http: path, query, authorization and body arrive, status, type and octets come back") {
  control::HttpRequest seen;
  Answering answering([&](HttpExchange& exchange) {
    seen = exchange.request();
    exchange.answer(418, "text/x", "short and stout\n");
  });
  const std::string got = talk(answering.address, get("/a/b?c=d%20e&f=", "Authorization: Bearer t\r\n"));
  CHECK(got.starts_with("HTTP/1.1 418"));
  CHECK(got.find("Content-Type: text/x\r\n") != std::string::npos);
  CHECK(got.ends_with("\r\n\r\nshort and stout\n"));
  CHECK(seen.method == "GET");
  CHECK(seen.path == "/a/b");
  CHECK(seen.authorization == "Bearer t");
  CHECK(seen.query == std::vector<std::pair<std::string, std::string>>{{"c", "d e"}, {"f", ""}});
  const std::string post = talk(answering.address,
                                "POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
                                "application/json\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(post.starts_with("HTTP/1.1 418"));
  CHECK(seen.method == "POST");
  CHECK(seen.body == "{}");
}

TEST_CASE("http: an answer that comes in pieces arrives whole") {
  Answering answering([](HttpExchange& exchange) {
    exchange.begin(200, "application/x-ndjson");
    for (int i = 0; i < 1000; ++i) {
      while (exchange.full() && !exchange.abandoned()) std::this_thread::yield();
      exchange.write(std::string(999, 'x') + "\n");
    }
    exchange.end();
  });
  const std::string got = talk(answering.address, get("/"));
  std::size_t octets = 0;
  for (const char c : got) octets += c == 'x';
  CHECK(octets >= 999'000);
  CHECK(octets <= 999'000 + 10);  // and what stands in the header
}

TEST_CASE("http: a body that is too large is refused, and nobody is asked") {
  bool asked = false;
  Answering answering([&](HttpExchange& exchange) {
    asked = true;
    exchange.answer(200, "text/plain", "");
  });
  const std::string body(control::kHttpBody + 1, 'x');
  const std::string got =
      talk(answering.address, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                                  std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK(got.starts_with("HTTP/1.1 413"));
  CHECK_FALSE(asked);
}

TEST_CASE("http: a server that stops answers 503 to who waits, and takes nobody any more") {
  std::mutex mutex;
  std::condition_variable changed;
  bool waiting = false;
  Answering answering([&](HttpExchange&) {
    const std::lock_guard lock(mutex);
    waiting = true;
    changed.notify_all();  // and never an answer
  });
  std::string got;
  std::jthread client([&] { got = talk(answering.address, get("/")); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting; });
  }
  answering.stop();
  client.join();
  CHECK(got.starts_with("HTTP/1.1 503"));
}

TEST_CASE("http: an address that is in use is an error that names it") {
  Answering first([](HttpExchange&) {});
  HttpServer second([](std::uint64_t) {});
  const auto bound = second.listen(first.address);
  REQUIRE_FALSE(bound);
  CHECK(bound.error().message().find(first.address.text()) != std::string::npos);
}

TEST_CASE("http: a body whose length nobody said is refused before it is read") {
  Answering answering([](HttpExchange& exchange) { exchange.answer(200, "text/x", "taken\n"); });
  const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  CHECK(talk(answering.address, chunked).starts_with("HTTP/1.1 411"));
  CHECK(talk(answering.address, "POST / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 411"));
}
