// ringpost-source's command line; see options.h. CLI11 throws, and is caught here.
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>

#include "ringpost/base/random.h"
#include "ringpost/smtp.h"
#include "tools/common/amounts.h"

namespace ringpost::source {
namespace {

constexpr const char* kAbout =
    "Sends mail by SMTP: made-up messages by number, or messages from files octet by octet.\n"
    "Ends with 0 when every message was accepted for every recipient, with 1 when one was not, with 2 for a mistake.";
constexpr std::uint64_t kDefaultMessages = 1000;
constexpr std::uint32_t kLongestBurst = 30;  // messages: two pieces each, of the pieces that one send may have
static_assert(2 * kLongestBurst + 2 <= ring::kSendPieces);

struct Words {
  std::string target;
  std::string source;
  std::string dialogue = "pipelined";
  std::string size = "4096";
  std::string domains = "10";
  std::string timeout = "5m";
  std::string seconds;
  std::string run;
  std::vector<std::string> files;
  std::uint64_t per_connection = 0;
  bool crlf = false;
};

void declare(CLI::App& app, Options& options, Words& words) {
  app.add_option("target", words.target, "ADDRESS:PORT of the server; the port may be left out: 25")->required();
  app.add_option("files", words.files, "messages to send, or directories of them; none: messages are made up");
  app.add_option("--connections", options.connections, "at once")->capture_default_str()->check(CLI::Range(1, 60000));
  app.add_option("--messages", options.work.messages,
                 "in all; 0: as many as fit in --seconds. Default: 1000, or each file once, or no end with --seconds");
  app.add_option("--messages-per-connection", options.client.messages_per_connection,
                 "then QUIT and connect anew; 0: all")
      ->capture_default_str();
  app.add_option("--seconds", words.seconds, "begin no message after so long (a duration such as 30, 500ms, 2m)");
  app.add_option("--rate", options.work.rate, "messages begun per second, over all connections; 0: as fast as it goes")
      ->capture_default_str();
  app.add_option("--dialogue", words.dialogue,
                 "lockstep: a command, a reply. pipelined: MAIL RCPT DATA at once. overlap: the content and the next "
                 "MAIL RCPT DATA at once. bdat: MAIL RCPT BDAT content, several messages at once")
      ->capture_default_str()
      ->check(CLI::IsMember({"lockstep", "pipelined", "overlap", "bdat"}));
  app.add_option("--burst", options.client.burst, "bdat: messages at once")
      ->capture_default_str()
      ->check(CLI::Range(1U, kLongestBurst));
  app.add_option("--size", words.size, "octets of a made-up message, or a mix: 1K:50,16K:30,1M:5")
      ->capture_default_str();
  app.add_option("--recipients", options.plan.recipients, "of each message")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app.add_option("--domains", words.domains,
                 "of the recipients: a number of them (d0.example …) or a list with weights: a.example,b.example=3")
      ->capture_default_str();
  app.add_option("--to", options.plan.to, "a recipient of every message, instead of drawn ones; several");
  app.add_option("--from", options.plan.from, "the envelope's sender; '' for the null path")->capture_default_str();
  app.add_option("--ehlo", options.client.ehlo, "what it calls itself")->capture_default_str();
  app.add_option("--source-address", words.source, "connect from this address");
  app.add_flag("--crlf", words.crlf, "files: bare LF becomes CRLF; without it they are sent as they are");
  app.add_flag("--add-id", options.plan.add_id, "files: put an X-Ringpost-Source-Id before each");
  app.add_option("--run", words.run, "name of the run, in every id; default: random");
  app.add_option("--seed", options.seed, "of the made-up texts and sizes")->capture_default_str();
  app.add_flag("--reconnect", options.client.reconnect,
               "connect anew after a break, and send again what was not acknowledged or put off with 4xx");
  app.add_option("--timeout", words.timeout, "for a connection and for each reply")->capture_default_str();
  app.add_option("--ledger", options.ledger, "append one JSON line for each answer to a message");
  app.add_option("--cpu", options.cpu, "run on this CPU");
  app.add_flag("--progress", options.progress, "a line on stderr while it runs");
  app.add_flag("--json", options.json, "the report as JSON");
  app.add_flag("--quiet", options.quiet, "no report");
}

Result<void> read_duration(const std::string& text, Duration& into) {
  const auto given = tools::parse_duration(text);
  if (!given) return fail(text + " is no duration such as 30, 500ms or 2m");
  into = *given;
  return {};
}

Result<void> read_addresses(const Words& words, Options& options) {
  const auto target = SocketAddress::parse(words.target, 25);
  if (!target) return std::unexpected(target.error());
  options.client.target = *target;
  if (!words.source.empty()) {
    const auto source = SocketAddress::parse(words.source, 1);
    if (!source) return std::unexpected(source.error());
    options.client.source = source->with_port(0);
  }
  for (const std::string& to : options.plan.to)
    if (!smtp::parse_mailbox(to)) return fail(to + " is no address");
  if (!options.plan.from.empty() && !smtp::parse_mailbox(options.plan.from))
    return fail(options.plan.from + " is no address");
  return {};
}

Result<void> read_mixes(const Words& words, Options& options) {
  auto sizes = SizeMix::parse(words.size);
  if (!sizes) return std::unexpected(sizes.error());
  options.sizes = std::move(*sizes);
  auto domains = DomainMix::parse(words.domains);
  if (!domains) return std::unexpected(domains.error());
  options.domains = std::move(*domains);
  if (words.files.empty()) return {};
  auto files = load_messages(words.files, words.crlf);
  if (!files) return std::unexpected(files.error());
  options.files = std::move(*files);
  return {};
}

Dialogue dialogue_of(const std::string& name) {
  if (name == "lockstep") return Dialogue::lockstep;
  if (name == "overlap") return Dialogue::overlap;
  return name == "bdat" ? Dialogue::bdat : Dialogue::pipelined;
}

Result<void> understand(const CLI::App& app, const Words& words, Options& options) {
  if (auto good = read_addresses(words, options); !good) return good;
  if (auto good = read_mixes(words, options); !good) return good;
  if (auto good = read_duration(words.timeout, options.client.timeout); !good) return good;
  if (!words.seconds.empty())
    if (auto good = read_duration(words.seconds, options.work.longest); !good) return good;
  options.client.dialogue = dialogue_of(words.dialogue);
  options.work.retry = options.client.reconnect;
  options.plan.run = words.run.empty() ? fmt::format("r{:08x}", seed_from_system() & 0xFFFFFFFF) : words.run;
  if (app.count("--messages") == 0 && words.seconds.empty())
    options.work.messages = options.files.empty() ? kDefaultMessages : options.files.size();
  if (options.work.messages == 0 && options.work.longest == Duration{0}) return fail("--messages 0 needs --seconds");
  return {};
}

}  // namespace

std::optional<int> parse_options(int count, char** words_given, Options& options) {
  CLI::App app{kAbout, "ringpost-source"};
  Words words;
  declare(app, options, words);
  try {
    app.parse(count, words_given);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto good = understand(app, words, options); !good) {
    fmt::print(stderr, "ringpost-source: {}\n", good.error().message());
    return 2;
  }
  return std::nullopt;
}

}  // namespace ringpost::source
