// Socket calls of a kernel ring that do not wait: making, binding, asking, closing. The descriptors are blocking ones:
// the kernel waits inside the ring's operations, and O_NONBLOCK would make those fail instead.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel_ring.h"
#include "ringpost/base/fd.h"

namespace ringpost::ring {
namespace {

constexpr mode_t kLocalMode = 0660;

bool set(int fd, int level, int option) {
  const int on = 1;
  return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

// Accepted sockets inherit both from their listener on Linux.
// TCP_NODELAY: each send is a whole thought (a group of replies, a message), never to be held back for more.
// SO_KEEPALIVE: a peer that vanished without a word frees its kernel memory even if a timeout of ours is long.
bool prepare_stream(int fd) { return set(fd, IPPROTO_TCP, TCP_NODELAY) && set(fd, SOL_SOCKET, SO_KEEPALIVE); }

int family_of(const SocketAddress& address) { return address.family == Family::v6 ? AF_INET6 : AF_INET; }

bool bind_to(int fd, const SocketAddress& address) {
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0;
}

bool prepare_listener(int fd, const SocketAddress& address, const ListenOptions& options) {
  // SO_REUSEADDR: a restart need not wait for old connections to leave TIME_WAIT.
  if (!set(fd, SOL_SOCKET, SO_REUSEADDR) || !prepare_stream(fd)) return false;
  if (options.share_port && !set(fd, SOL_SOCKET, SO_REUSEPORT)) return false;
  // Else "::" would take IPv4 too and collide with a listener on 0.0.0.0.
  return address.family != Family::v6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

Result<sockaddr_un> local_name(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path)
    return fail(ENAMETOOLONG, "a socket's path has at most 107 octets: " + path);
  path.copy(name.sun_path, path.size());
  return name;
}

// Nobody listens behind a name that refuses connections: the process that made it is gone.
bool is_stale(const sockaddr_un& name) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe.valid() && ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 &&
         errno == ECONNREFUSED;
}

template <int (*Ask)(int, sockaddr*, socklen_t*) noexcept>
Result<SocketAddress> address_of(int fd, const char* what) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (Ask(fd, address, &size) != 0) return fail(errno, what);
  return SocketAddress::from_sockaddr(*address, size);
}

}  // namespace

// Each core has a descriptor of its own, so that closing one ends nothing for others: the socket stays with who gave
// it.
Result<Socket> KernelRing::listen_on_given(const SocketAddress& address, std::vector<int> given) {
  if (given.size() > cores_)
    return fail(std::to_string(given.size()) + " sockets were given for " + address.text() + " and there are " +
                std::to_string(cores_) + " cores: give one, or one for each core");
  Fd fd(::fcntl(given[core_.value % given.size()], F_DUPFD_CLOEXEC, 0));
  // Blocking, as all our descriptors: the kernel waits inside the ring's operation.
  const int flags = fd.valid() ? ::fcntl(fd.get(), F_GETFL) : -1;
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0 || !prepare_stream(fd.get()))
    return fail(errno, "cannot take over the socket that was given for " + address.text());
  if (given.size() < cores_) shared_listeners_.push_back(fd.get());
  return Socket{fd.release()};
}

Result<Socket> KernelRing::listen(const SocketAddress& address, const ListenOptions& options) {
  if (!address.known()) return fail("a listener needs an address");
  std::vector<int> given;
  for (const Fleet::Shared::Given& each : shared_.given)
    if (each.address == address) given.push_back(each.listener.get());
  if (!given.empty()) return listen_on_given(address, std::move(given));
  Fd fd(::socket(family_of(address), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || !prepare_listener(fd.get(), address, options) || !bind_to(fd.get(), address) ||
      ::listen(fd.get(), options.backlog) != 0)
    return fail(errno, "cannot listen on " + address.text());
  return Socket{fd.release()};
}

Result<Socket> KernelRing::listen_local(const std::string& path) {
  const auto name = local_name(path);
  if (!name) return std::unexpected(name.error());
  if (is_stale(*name)) ::unlink(path.c_str());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The mode of the socket before bind() is the mode of its name, less the umask: never wider for a moment.
  if (!fd.valid() || ::fchmod(fd.get(), kLocalMode) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*name), sizeof *name) != 0 ||
      ::chmod(path.c_str(), kLocalMode) != 0 || ::listen(fd.get(), SOMAXCONN) != 0)
    return fail(errno, "cannot listen on the local socket " + path);
  return Socket{fd.release()};
}

Result<SocketAddress> KernelRing::local_address(Socket socket) {
  return address_of<&::getsockname>(socket.fd, "a socket's own address");
}

Result<SocketAddress> KernelRing::peer_address(Socket socket) {
  return address_of<&::getpeername>(socket.fd, "the address of a socket's peer");
}

Result<Socket> KernelRing::socket_to(const SocketAddress& remote, const SocketAddress& source) {
  if (!remote.known()) return fail("a connection needs an address to go to");
  Fd fd(::socket(family_of(remote), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || !prepare_stream(fd.get())) return fail(errno, "cannot make a socket to " + remote.text());
  if (!source.known() || source.is_unspecified()) return Socket{fd.release()};
  if (source.family != remote.family)
    return fail(EAFNOSUPPORT, "source " + source.text() + " cannot reach " + remote.text());
  // The port is chosen at connect(): else 28,000 connections of one source would be all, to whatever destination.
  const bool late = set(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  if (!late || !bind_to(fd.get(), source)) return fail(errno, "cannot send from " + source.text());
  return Socket{fd.release()};
}

// A connected one: the kernel takes datagrams of `remote` alone, tells of its ICMP errors, and draws the port when it
// connects (net.ipv4.ip_local_port_range), which does not wait.
Result<Socket> KernelRing::datagram_to(const SocketAddress& remote) {
  if (!remote.known()) return fail("a datagram needs an address to go to");
  Fd fd(::socket(family_of(remote), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  const socklen_t size = remote.to_sockaddr(storage);
  if (!fd.valid() || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
    return fail(errno, "cannot make a datagram socket to " + remote.text());
  return Socket{.fd = fd.release(), .datagram = true};
}

void KernelRing::shutdown_write(Socket socket) { ::shutdown(socket.fd, SHUT_WR); }

// The descriptor is free after close(2) whatever it returns (Linux), so there is nothing to try again.
void KernelRing::close(Socket socket) {
  if (!shared_listeners_.empty()) std::erase(shared_listeners_, socket.fd);
  ::close(socket.fd);
}

void KernelRing::close(File file) { ::close(file.fd); }

}  // namespace ringpost::ring
