#include "talk.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "ringpost/base/escape.h"
#include "ringpost/base/fd.h"

namespace ringpost::ctl {
namespace {

using nlohmann::ordered_json;

Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) die(path + ": the path is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd.valid() || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    die(path + ": " + std::strerror(error) +
        (error == EACCES ? ": only its owner and group may command this relay"
                         : ": is ringpost running, and is this its control.socket?"));
  }
  return fd;
}

void send_all(const Fd& fd, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t sent = send(fd.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) die(std::string{"send: "} + std::strerror(errno));
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Calls `on_line` for each line that comes until it says false.
void read_lines(const Fd& fd, const std::function<bool(const std::string&)>& on_line) {
  std::string pending;
  std::vector<char> room(64 * 1024);
  for (;;) {
    const ssize_t got = read(fd.get(), room.data(), room.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) die("the relay closed the connection before its answer was complete");
    pending.append(room.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (!on_line(pending.substr(begin, end - begin))) return;
    pending.erase(0, begin);
  }
}

}  // namespace

void die(const std::string& text) {
  std::fprintf(stderr, "ringpostctl: %s\n", text.c_str());
  std::exit(1);
}

End ask(const std::string& socket_path, const ordered_json& request,
        const std::function<void(const std::string&, ordered_json)>& on_line) {
  const Fd fd = connect_to(socket_path);
  send_all(fd, request.dump() + "\n");
  End end;
  read_lines(fd, [&](const std::string& line) {
    ordered_json object = ordered_json::parse(line, nullptr, false);
    if (object.is_discarded() || !object.is_object()) die("an answer that is no JSON: " + escaped(line));
    if (object.contains("done")) {
      end.good = true;
      end.after = object.value("after", "");
      return false;
    }
    if (object.contains("error") && object.contains("kind")) {
      end.error = escaped(object.value("error", ""));
      return false;
    }
    on_line(line, std::move(object));
    return true;
  });
  return end;
}

}  // namespace ringpost::ctl
