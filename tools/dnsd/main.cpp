// ringpost-dnsd: a name server from a file, for tests and load. SIGHUP reads the file anew, SIGUSR1 writes the
// statistics, SIGTERM and SIGINT do that and end.
#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server.h"

namespace ringpost::dnsd {
namespace {

constexpr const char* kAbout =
    "Answers DNS questions from files, over UDP and TCP, and misbehaves where they say so.\n"
    "A line is NAME [TTL] TYPE DATA, or NAME !MISBEHAVIOUR [type=TYPE] [first=COUNT] [only] [delay=DURATION].\n"
    "Types: A AAAA MX CNAME TXT SOA. '*' as a label of NAME: any; in DATA '$' is the name asked for; A and AAAA may be "
    "a network, of which the name chooses an address. See docs/tools.md.\n"
    "Misbehaviours: servfail refuse no-edns silence delay truncate cut wrong-id wrong-question wrong-source lie loop "
    "compression-loop garbage empty nxdomain nodata no-soa no-follow.\n"
    "SIGHUP reads the files anew; SIGUSR1 writes the statistics.";

struct Options {
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> files;
  std::string statistics;
};

Result<Zone> read_zone(const std::vector<std::string>& files) {
  Zone zone;
  for (const std::string& name : files) {
    std::ifstream in(name);
    if (!in) return fail(errno, name);
    std::stringstream text;
    text << in.rdbuf();
    if (auto read = zone.read(text.str()); !read) return fail(name + ": " + read.error().text);
  }
  return zone;
}

// One JSON object a line, in a file of its own that replaces the last one whole.
void write_statistics(const Counts& counts, const std::string& path) {
  if (path.empty()) return;
  const std::string fresh = path + ".new";
  {
    std::ofstream out(fresh);
    for (const auto& [question, count] : counts)
      out << nlohmann::ordered_json{{"name", question.first},
                                    {"type", type_text(question.second)},
                                    {"udp", count.udp},
                                    {"tcp", count.tcp}}
                 .dump()
          << '\n';
  }
  std::rename(fresh.c_str(), path.c_str());
}

int complain(const Error& error) {
  fmt::print(stderr, "ringpost-dnsd: {}\n", error.message());
  return 1;
}

int serve(const Options& options, const SocketAddress& address) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const Fd signals(signalfd(-1, &set, SFD_CLOEXEC));
  Answerer answerer;
  auto zone = read_zone(options.files);
  if (!zone) return complain(zone.error());
  answerer.zone = std::move(*zone);
  Server server(answerer);
  const auto bound = server.listen(address);
  if (!bound) return complain(bound.error());
  fmt::print(stderr, "listening on {}\nready\n", bound->text());
  for (;;) {
    server.run(signals.get());
    signalfd_siginfo info{};
    if (read(signals.get(), &info, sizeof info) != sizeof info) return complain({errno, "signalfd"});
    if (info.ssi_signo == SIGHUP) {
      auto fresh = read_zone(options.files);
      if (!fresh) {
        complain(fresh.error());
        continue;
      }
      answerer.zone = std::move(*fresh);
      fmt::print(stderr, "reloaded\n");
      continue;
    }
    write_statistics(answerer.counts, options.statistics);
    if (info.ssi_signo != SIGUSR1) return 0;
  }
}

int run(int count, char** words) {
  Options options;
  CLI::App app(kAbout, "ringpost-dnsd");
  app.add_option("files", options.files, "what it knows")->required();
  app.add_option("--listen", options.listen, "ADDRESS:PORT; port 0: one that is free, said on stderr")
      ->capture_default_str();
  app.add_option("--statistics", options.statistics,
                 "file for one JSON line a question: name, type, times asked by udp and by tcp");
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto address = SocketAddress::parse(options.listen, 53);
  if (!address) {
    complain(address.error());
    return 2;
  }
  return serve(options, *address);
}

}  // namespace
}  // namespace ringpost::dnsd

int main(int count, char** words) { return ringpost::dnsd::run(count, words); }
