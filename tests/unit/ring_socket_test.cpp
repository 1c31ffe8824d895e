// Sockets on the real kernel over loopback: what the face promises about accept, receive, send, and their failures.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>

#include "ring_loop.h"
#include "ringpost/base/fd.h"

namespace ringpost::ring {

using test::piece;
using test::Recorded;
using test::Runner;

namespace test {

std::pair<int, int> connected_pair() {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  REQUIRE(::bind(listener.get(), address, size) == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  REQUIRE(::getsockname(listener.get(), address, &size) == 0);
  const int out = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(out, address, size) == 0);
  const int in = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  REQUIRE(in >= 0);
  return {in, out};
}

}  // namespace test

namespace {

const SocketAddress kAnyPort = SocketAddress::v4(127, 0, 0, 1, 0);

// Sends back what it receives; keeps octets that come while a send is in flight.
struct Echo {
  Ring& ring;
  Socket socket;
  std::string waiting;
  std::string sending;
  bool ended = false;
  bool gone = false;
  Operation receive{this, handler<&Echo::on_receive>};
  Operation send{this, handler<&Echo::on_send>};

  Echo(Ring& at, Socket with) : ring(at), socket(with) { ring.receive(receive, socket); }
  void on_receive(const Completion& done) {
    waiting.append(done.received);
    ended = ended || done.final;
    go_on();
  }
  void on_send(const Completion& done) {
    CHECK((done.result == static_cast<int>(sending.size()) || done.result < 0));
    sending.clear();
    go_on();
  }
  void go_on() {
    if (send.in_kernel()) return;
    if (!waiting.empty()) {
      sending.swap(waiting);
      const iovec one = piece(sending);
      ring.send(send, socket, {&one, 1});
    } else if (ended && !receive.in_kernel() && !gone) {
      gone = true;
      ring.close(socket);
    }
  }
};

struct EchoServer {
  Ring& ring;
  Socket listener;
  std::list<Echo> echoes;
  Operation accept{this, handler<&EchoServer::on_accept>};

  explicit EchoServer(Ring& at) : ring(at) {
    auto listening = ring.listen(kAnyPort, {});
    REQUIRE(listening.has_value());
    listener = *listening;
    ring.accept(accept, listener);
  }
  ~EchoServer() { ring.close(listener); }
  void on_accept(const Completion& done) {
    if (!done.final) echoes.emplace_back(ring, Socket{done.result});
  }
  SocketAddress address() { return *ring.local_address(listener); }
};

// Connects, sends everything in pieces, expects it back, closes.
struct Client {
  Ring& ring;
  Socket socket;
  std::string text;
  std::string back;
  bool done = false;
  Operation connect{this, handler<&Client::on_connect>};
  Operation send{this, handler<&Client::on_send>};
  Operation receive{this, handler<&Client::on_receive>};

  Client(Ring& at, const SocketAddress& to, std::string octets) : ring(at), text(std::move(octets)) {
    auto made = ring.socket_to(to, {});
    REQUIRE(made.has_value());
    socket = *made;
    ring.connect(connect, socket, to);
  }
  void on_connect(const Completion& result) {
    REQUIRE(result.result == 0);
    ring.receive(receive, socket);
    const std::size_t cut = text.size() / 3;
    const std::array pieces{piece(std::string_view(text).substr(0, cut)), piece(std::string_view(text).substr(cut))};
    ring.send(send, socket, pieces);
  }
  void on_send(const Completion& result) {
    CHECK(result.result == static_cast<int>(text.size()));
    ring.shutdown_write(socket);
  }
  void on_receive(const Completion& result) {
    back.append(result.received);
    if (!result.final) return;
    ring.close(socket);
    done = true;
  }
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26 + i / 4096 % 3);
  return text;
}

void echo_many(RingOptions options, unsigned clients, std::size_t size) {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet, 0, 1, options);
  EchoServer server(*ring);
  std::list<Client> talking;
  for (unsigned i = 0; i < clients; ++i) talking.emplace_back(*ring, server.address(), pattern(size + i));
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] {
    return std::ranges::all_of(talking, [](const Client& client) { return client.done; }) &&
           server.echoes.size() == clients &&
           std::ranges::all_of(server.echoes, [](const Echo& echo) { return echo.gone; });
  }));
  for (const Client& client : talking) CHECK(client.back == client.text);
}

int option_of(int fd, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(fd, level, option, &value, &size);
  return value;
}

void reset_by_peer(int fd) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
}

}  // namespace

TEST_CASE("octets sent in pieces by many clients come back whole and in order") {
  echo_many(test::small_options(), 20, 100'000);
}

TEST_CASE("without bundled receives the same comes back") {
  RingOptions options = test::small_options();
  options.bundle_receives = false;
  echo_many(options, 20, 100'000);
}

TEST_CASE("far too few receive buffers park receives and lose nothing") {
  RingOptions options = test::small_options();
  options.receive_buffers = 2;
  options.receive_buffer_size = 1024;
  for (const bool bundle : {true, false}) {
    options.bundle_receives = bundle;
    echo_many(options, 30, 20'000);
  }
}

TEST_CASE("a submission queue far smaller than the work of one turn loses nothing") {
  RingOptions options = test::small_options();
  options.entries = 2;
  echo_many(options, 60, 5'000);
}

TEST_CASE("a megabyte in one send of sixty-four pieces arrives whole through a slow reader") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto [ours, theirs] = test::connected_pair();
  const std::string text = pattern(1 << 20);
  std::array<iovec, kSendPieces> pieces{};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    pieces[i] = piece(std::string_view(text).substr(i * (text.size() / 64), text.size() / 64));
  }
  Recorded send;
  std::string got;
  ring->send(send.operation, Socket{ours}, pieces);
  Runner runner(*ring);
  REQUIRE(runner.run_until([&, peer = theirs] {
    std::array<char, 20000> room{};
    const ssize_t octets = ::recv(peer, room.data(), room.size(), MSG_DONTWAIT);
    if (octets > 0) got.append(room.data(), static_cast<std::size_t>(octets));
    return got.size() == text.size();
  }));
  CHECK(got == text);
  CHECK(send.finals == 1);
  CHECK(send.last == static_cast<int>(text.size()));
  ring->close(Socket{ours});
  ::close(theirs);
}

TEST_CASE("a send to a peer that reset the connection fails with an error and no signal") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto [ours, theirs] = test::connected_pair();
  const std::string text = pattern(8 << 20);  // more than the sockets hold: the send is in the kernel
  Recorded send;
  Recorded again;
  const iovec one = piece(text);
  ring->send(send.operation, Socket{ours}, {&one, 1});
  send.then = [&, fd = ours](const Completion&) { ring->send(again.operation, Socket{fd}, {&one, 1}); };
  Runner runner(*ring);
  bool reset = false;
  REQUIRE(runner.run_until([&, peer = theirs] {
    if (!reset) reset_by_peer(peer);
    reset = true;
    return again.finals == 1;
  }));
  CHECK((send.last == -ECONNRESET || send.last == -EPIPE));
  CHECK(again.last == -EPIPE);
  ring->close(Socket{ours});
}

TEST_CASE("a receive tells the end of the stream and a reset apart") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto [ended, ender] = test::connected_pair();
  const auto [broken, breaker] = test::connected_pair();
  Recorded end;
  Recorded reset;
  ring->receive(end.operation, Socket{ended});
  ring->receive(reset.operation, Socket{broken});
  REQUIRE(::send(ender, "bye", 3, 0) == 3);
  ::close(ender);
  reset_by_peer(breaker);
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return end.finals + reset.finals == 2; }));
  CHECK(end.octets == "bye");
  CHECK(end.last == 0);
  CHECK(reset.last == -ECONNRESET);
  ring->close(Socket{ended});
  ring->close(Socket{broken});
}

TEST_CASE("a connect that nobody answers is refused, one from another family's source is an error") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  SocketAddress closed;
  {
    const auto listener = ring->listen(kAnyPort, {});
    closed = *ring->local_address(*listener);
    ring->close(*listener);
  }
  const auto socket = ring->socket_to(closed, SocketAddress::v4(127, 0, 0, 9, 0));
  REQUIRE(socket.has_value());
  Recorded connect;
  ring->connect(connect.operation, *socket, closed);
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return connect.finals == 1; }));
  CHECK(connect.last == -ECONNREFUSED);
  ring->close(*socket);
  CHECK_FALSE(ring->socket_to(closed, *SocketAddress::parse("[::1]:1")).has_value());
}

TEST_CASE("a restricted ring refuses an operation that the room never asks for") { CHECK(restrictions_hold()); }

TEST_CASE("the source address of a connection is the one asked for") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto listener = ring->listen(kAnyPort, {});
  REQUIRE(listener.has_value());
  const SocketAddress at = *ring->local_address(*listener);
  const auto socket = ring->socket_to(at, SocketAddress::v4(127, 0, 0, 9, 0));
  REQUIRE(socket.has_value());
  Recorded accept;
  Recorded connect;
  ring->accept(accept.operation, *listener);
  ring->connect(connect.operation, *socket, at);
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return connect.finals == 1 && !accept.results.empty(); }));
  const Socket accepted{accept.results[0]};
  CHECK(ring->peer_address(accepted)->address_text() == "127.0.0.9");
  CHECK(*ring->peer_address(*socket) == at);
  // Set on the listener, inherited by what it accepts.
  CHECK(option_of(accepted.fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option_of(accepted.fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK((fcntl(accepted.fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(option_of(socket->fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  ring->close(accepted);
  ring->close(*socket);
  ring->close(*listener);
}

TEST_CASE("two listeners share a port only when both ask, and IPv6 leaves IPv4's port alone") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto first = ring->listen(kAnyPort, {});
  REQUIRE(first.has_value());
  const SocketAddress at = *ring->local_address(*first);
  const auto second = ring->listen(at, {});
  REQUIRE(second.has_value());
  const auto third = ring->listen(at, {.share_port = false});
  REQUIRE_FALSE(third.has_value());
  CHECK(third.error().code == EADDRINUSE);
  CHECK(third.error().text.find(at.text()) != std::string::npos);
  const auto six = ring->listen(SocketAddress::parse("[::]:1")->with_port(0), {});
  if (six) {  // a machine without IPv6 has nothing to test
    CHECK(option_of(six->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1);
    ring->close(*six);
  }
  ring->close(*first);
  ring->close(*second);
}

TEST_CASE("a local listener replaces a stale name, respects a live one, and is not for everybody") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  std::array<char, 32> directory{"/tmp/ring_test_XXXXXX"};
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const std::string path = std::string(directory.data()) + "/control";
  const auto first = ring->listen_local(path);
  REQUIRE(first.has_value());
  struct stat facts{};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0660);
  const auto taken = ring->listen_local(path);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().code == EADDRINUSE);
  ring->close(*first);  // as a process that died: the name stays
  const auto second = ring->listen_local(path);
  REQUIRE(second.has_value());
  CHECK_FALSE(ring->local_address(*second)->known());
  ring->close(*second);
  CHECK(ring->listen_local(std::string(200, 'x')).error().code == ENAMETOOLONG);
  ::unlink(path.c_str());
  ::rmdir(directory.data());
}

TEST_CASE("accept goes on by itself when descriptors run out and come back") {
  // In a child, whose limit of descriptors is its own; doctest's CHECK counts nothing there, so it exits with a code.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(60);
    Fleet fleet(1, 0);
    auto ring = make_ring(fleet, CoreId{0}, 1, test::small_options());
    if (!ring) ::_exit(2);
    const auto listener = (*ring)->listen(kAnyPort, {});
    const SocketAddress at = *(*ring)->local_address(*listener);
    sockaddr_storage to{};
    const socklen_t size = at.to_sockaddr(to);
    std::array<int, 5> clients{};
    for (int& client : clients) {
      client = ::socket(AF_INET, SOCK_STREAM, 0);
      if (::connect(client, reinterpret_cast<sockaddr*>(&to), size) != 0) ::_exit(3);
    }
    const int highest = clients.back();
    const rlimit tight{.rlim_cur = static_cast<rlim_t>(highest + 3), .rlim_max = static_cast<rlim_t>(highest + 100)};
    if (::setrlimit(RLIMIT_NOFILE, &tight) != 0) ::_exit(4);

    Recorded accept;
    (*ring)->accept(accept.operation, *listener);
    Runner runner(**ring);
    // Two fit under the limit; the others come after it was raised, with no further connection to wake the ring.
    bool raised = false;
    const bool all = runner.run_until([&] {
      if (!raised && accept.results.size() == 2) {
        const rlimit wide{.rlim_cur = tight.rlim_max, .rlim_max = tight.rlim_max};
        raised = ::setrlimit(RLIMIT_NOFILE, &wide) == 0;
      }
      return accept.results.size() >= clients.size();
    });
    const bool good = all && raised && accept.last == -ECANCELED &&
                      std::ranges::count_if(accept.results, [](int fd) { return fd >= 0; }) == 5;
    ::_exit(good ? 0 : 5);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace ringpost::ring
