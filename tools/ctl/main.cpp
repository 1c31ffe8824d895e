// ringpostctl: the operator's side of the control socket. Sends one request, shows the answer as tables or, with
// --json, as the lines that came. Exit: 0 done, 1 the relay said no or cannot be reached, 2 wrong usage.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ringpost/base/escape.h"
#include "ringpost/base/fd.h"

namespace {

using nlohmann::ordered_json;
using ringpost::Fd;

struct Options {
  std::string socket = "/run/ringpost/control";
  bool json = false;
  ordered_json request = ordered_json::object();
};

[[noreturn]] void die(const std::string& text) {
  std::fprintf(stderr, "ringpostctl: %s\n", text.c_str());
  std::exit(1);
}

Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) die(path + ": the path is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd.valid() || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    die(path + ": " + std::strerror(errno) + ": is ringpost running, and is this its control.socket?");
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

std::string shown(const ordered_json& value) {
  if (value.is_string()) return ringpost::escaped(value.get<std::string>());
  return value.dump();
}

// One object alone: a line per key.
void print_object(const ordered_json& object) {
  std::size_t width = 0;
  for (const auto& [key, value] : object.items()) width = std::max(width, key.size());
  for (const auto& [key, value] : object.items())
    std::printf("%-*s  %s\n", static_cast<int>(width), key.c_str(), shown(value).c_str());
}

// Several: a table whose columns are all keys that occur, in the order of their coming.
void print_table(const std::vector<ordered_json>& rows) {
  std::vector<std::string> columns;
  for (const ordered_json& row : rows)
    for (const auto& [key, value] : row.items())
      if (std::ranges::find(columns, key) == columns.end()) columns.push_back(key);
  std::vector<std::vector<std::string>> cells{columns};
  for (const ordered_json& row : rows) {
    std::vector<std::string>& line = cells.emplace_back();
    for (const std::string& column : columns) line.push_back(row.contains(column) ? shown(row[column]) : "-");
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : cells)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i)
      std::printf("%-*s%s", i + 1 < line.size() ? static_cast<int>(widths[i]) : 0, line[i].c_str(),
                  i + 1 < line.size() ? "  " : "\n");
  }
}

void print_people(const std::string& command, const std::vector<ordered_json>& lines) {
  if (command == "show" && !lines.empty()) {
    print_object(lines.front());
    std::vector<ordered_json> recipients;
    for (std::size_t i = 1; i < lines.size(); ++i)
      if (lines[i].contains("to")) recipients.push_back(lines[i]);
    std::printf("\n");
    print_table(recipients);
    if (lines.back().contains("content")) std::printf("\n%s\n", lines.back()["content"].get<std::string>().c_str());
  } else if (command == "queue" || command == "list") {
    if (lines.empty())
      std::printf("%s\n", command == "queue" ? "no mail waits" : "no messages");
    else
      print_table(lines);
  } else {
    for (const ordered_json& line : lines) print_object(line);
  }
}

int run(const Options& options) {
  const Fd fd = connect_to(options.socket);
  send_all(fd, options.request.dump() + "\n");
  std::vector<ordered_json> lines;
  int code = 0;
  read_lines(fd, [&](const std::string& line) {
    ordered_json object = ordered_json::parse(line, nullptr, false);
    if (object.is_discarded()) die("an answer that is no JSON: " + ringpost::escaped(line));
    if (object.contains("done")) return false;
    if (object.contains("error") && object.size() == 1) {
      std::fprintf(stderr, "ringpostctl: %s\n", shown(object["error"]).c_str());
      code = 1;
      return false;
    }
    if (options.json)
      std::printf("%s\n", line.c_str());
    else
      lines.push_back(std::move(object));
    return true;
  });
  if (!options.json && code == 0) print_people(options.request["command"], lines);
  return code;
}

CLI::App* add_command(CLI::App& app, Options& options, const std::string& name, const std::string& text) {
  CLI::App* command = app.add_subcommand(name, text);
  command->add_flag("--json", options.json, "the answer as lines of JSON");
  command->callback([&options, name] { options.request["command"] = name; });
  return command;
}

void add_string(CLI::App* command, Options& options, const std::string& name, const std::string& key,
                const std::string& text) {
  command->add_option_function<std::string>(
      name, [&options, key](const std::string& value) { options.request[key] = value; }, text);
}

void add_flag(CLI::App* command, Options& options, const std::string& name, const std::string& key,
              const std::string& text) {
  command->add_flag_callback(name, [&options, key] { options.request[key] = true; }, text);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Asks a running ringpost about its queue and tells it what to do."};
  Options options;
  app.add_option("--socket", options.socket, "the relay's control.socket")->capture_default_str();
  app.add_flag("--json", options.json, "the answer as lines of JSON");
  app.require_subcommand(1);
  app.fallthrough();
  add_command(app, options, "status", "counts and state of the relay");
  add_command(app, options, "queue", "destinations with mail or connections, and their last errors");
  CLI::App* list = add_command(app, options, "list", "messages, the oldest first");
  add_string(list, options, "--destination", "destination", "only those that wait for this destination");
  list->add_option_function<std::uint64_t>(
      "--limit", [&](std::uint64_t limit) { options.request["limit"] = limit; },
      "lines at most (100; 10,000 can be had)");
  CLI::App* show = add_command(app, options, "show", "one message: envelope and recipients");
  add_string(show, options, "id", "id", "spool id, as in the 250");
  add_flag(show, options, "--content", "content", "with its content");
  for (const auto& [name, text] :
       {std::pair{"flush", "attempt now what waits"}, {"remove", "drop messages without delivering them"}}) {
    CLI::App* command = add_command(app, options, name, text);
    add_string(command, options, "id", "id", "one message");
    add_string(command, options, "--destination", "destination", "all that wait for this destination");
    add_flag(command, options, "--all", "all", "all");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run(options);
}
