// The same connections on the kernel's ring and real sockets: what a simulated network could get wrong.
#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <string>
#include <utility>

#include "../dialog/memory_host.h"
#include "ring_loop.h"
#include "ringpost/receive.h"

namespace ringpost::receive {
namespace {

// Answers each commit at the end of the turn.
class PromptHost : public dialog::MemoryHost {
 public:
  explicit PromptHost(ring::Ring& ring) : ring_(ring) {}
  Receiver* receiver = nullptr;
  void commit(message::Draft& draft, Ticket ticket) override {
    MemoryHost::commit(draft, ticket);
    ring_.defer(answer_);
  }

 private:
  void answer() {
    std::vector<Ticket> now;
    std::swap(now, awaited);
    for (const Ticket& ticket : now) receiver->committed(ticket, {});
  }
  ring::Ring& ring_;
  ring::Deferred answer_{this, ring::call<&PromptHost::answer>};
};

struct Fixture {
  ring::Fleet fleet{1, 1};
  std::unique_ptr<ring::Ring> ring = ring::test::ring_of(fleet);
  ring::test::Runner runner{*ring};
  PromptHost host{*ring};
  std::unique_ptr<Receiver> receiver;

  Fixture() {
    config::Config config;
    config.hostname = "mx.server.example";
    config.limits.sessions = 50;
    config.listeners.push_back({.address = SocketAddress::v4(127, 0, 0, 1, 0)});
    receiver = std::make_unique<Receiver>(*ring, std::make_shared<config::Config>(config), host);
    host.receiver = receiver.get();
    REQUIRE(receiver->listen());
    ring->on_mail(this, [](void* fixture, const ring::Mail&) { static_cast<Fixture*>(fixture)->receiver->drain(); });
  }
  // Runs `client` on a thread of its own, with a connected socket, and the loop until it is done and its session is
  // gone. Gives what the client returned. Once: a loop that has ended has no listener any more.
  std::string talk(const std::function<std::string(int fd)>& client) {
    const SocketAddress server = receiver->addresses()[0];
    auto said = std::async(std::launch::async, [&client, server] {
      sockaddr_storage address{};
      const auto length = server.to_sockaddr(address);
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) return std::string{"not connected"};
      std::string text = client(fd);
      ::close(fd);
      return text;
    });
    bool drained = false;
    CHECK(runner.run_until([&] {
      if (said.wait_for(std::chrono::seconds{0}) != std::future_status::ready) return false;
      if (receiver->statistics().sessions != 0) return false;
      if (!std::exchange(drained, true)) receiver->drain();
      return receiver->idle();
    }));
    CHECK(host.open.empty());
    return said.get();
  }
};

// Sends what the peer takes; gives up silently when it has closed.
void send_all(int fd, View octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// All until the peer closes; "[reset]" at the end when it did not close but reset.
std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got == 0) return text;
    if (got < 0) return text + "[reset]";
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string message(View content) {
  return "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\nDATA\r\n" + std::string{content} + ".\r\n";
}

std::string large_content() {
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += "line " + std::to_string(i) + " of a content that fills many buffers\r\n";
  return text;
}

}  // namespace

TEST_CASE("on the kernel: messages small and large come in whole over one connection") {
  Fixture f;
  const std::string large = large_content();
  const std::string said = f.talk([&](int fd) {
    send_all(fd, "EHLO c\r\n" + message("one\r\n") + message(large) + message("three\r\n") + "QUIT\r\n");
    return read_all(fd);
  });
  CHECK(said.ends_with("221 2.0.0 Bye\r\n"));
  REQUIRE(f.host.kept.size() == 3);
  CHECK(f.host.kept[0].draft->sink.content == "one\r\n");
  CHECK(f.host.kept[1].draft->sink.content == large);
  CHECK(f.host.kept[2].draft->sink.content == "three\r\n");
}

TEST_CASE("on the kernel: a client that closes its side gets all its replies") {
  Fixture f;
  const std::string said = f.talk([&](int fd) {
    send_all(fd, "EHLO c\r\n" + message("one\r\n") + message("two\r\n"));
    ::shutdown(fd, SHUT_WR);
    return read_all(fd);
  });
  CHECK(said.ends_with("\r\n"));
  CHECK(f.host.kept.size() == 2);
}

TEST_CASE("on the kernel: the last reply is read by a client that goes on sending, before any reset") {
  Fixture f;
  const std::string said = f.talk([&](int fd) {
    const std::string flood = large_content().substr(0, 600'000);
    send_all(fd, "EHLO c\r\n" + message("bare\nlf\r\n"));
    send_all(fd, flood);
    ::shutdown(fd, SHUT_WR);
    return read_all(fd);
  });
  CHECK(said.find("550 5.6.0") != std::string::npos);
  CHECK(said.ends_with("\r\n"));
}

TEST_CASE("on the kernel: a client that resets in its content leaves nothing behind") {
  Fixture f;
  f.talk([&](int fd) {
    send_all(fd, "EHLO c\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@s.example>\r\nDATA\r\nhalf");
    char buffer[64];
    (void)::recv(fd, buffer, sizeof buffer, 0);
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return std::string{};
  });
  CHECK(f.host.kept.empty());
}

TEST_CASE("on the kernel: a drain closes the listener and ends an idle session with 421") {
  Fixture f;
  const std::string said = f.talk([&](int fd) {
    char first[256];
    const ssize_t got = ::recv(fd, first, sizeof first, 0);
    f.fleet.mail_to(CoreId{0}, {});  // the loop's thread drains
    return std::string(first, static_cast<std::size_t>(std::max<ssize_t>(got, 0))) + read_all(fd);
  });
  CHECK(said.find("421 4.3.2") != std::string::npos);
}

}  // namespace ringpost::receive
