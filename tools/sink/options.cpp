// ringpost-sink's command line; see options.h. CLI11 throws, and is caught here.
#include "options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>

#include "tools/common/amounts.h"

namespace ringpost::sink {
namespace {

constexpr const char* kAbout =
    "Takes mail by SMTP and forgets it: counts, keeps a ledger, and misbehaves on demand.\n"
    "A STAGE is one of connect ehlo mail rcpt data body dot quit; dot is the reply to a whole message, by DATA or "
    "BDAT.\n"
    "A PROBABILITY is 0.25 or 25%. Options that say so may be given several times; the first rule that applies "
    "decides.";

struct Words {
  std::vector<std::string> listen{"127.0.0.1:2526"};
  std::vector<std::string> offer{"PIPELINING", "CHUNKING",           "SIZE", "8BITMIME", "SMTPUTF8",
                                 "DSN",        "ENHANCEDSTATUSCODES"};
  std::vector<std::string> deeds[kDeeds];
  std::vector<std::string> recipient_deeds[kDeeds];
  std::vector<std::string> delays;
  std::string drip;
  std::string idle = "5m";
  std::uint64_t seed = 1;
};

std::size_t place(Deed deed) { return static_cast<std::size_t>(deed); }

void declare(CLI::App& app, Options& options, Shared& shared, Words& words) {
  app.add_option("--listen", words.listen, "ADDRESS:PORT; several; port 0: one that is free, said on stderr")
      ->capture_default_str();
  app.add_option("--hostname", shared.hostname, "what it calls itself")->capture_default_str();
  app.add_option("--offer", words.offer, "extensions in the EHLO reply, with commas between; '' for none")
      ->delimiter(',')
      ->expected(0, -1);
  app.add_option("--ledger", options.ledger, "append one JSON line a message to this file, before its 250");
  app.add_option("--max-connections", options.limits.connections, "more get 421")->capture_default_str();
  app.add_option("--messages", options.limits.messages, "end after so many messages; 0: never")->capture_default_str();
  app.add_option("--timeout", words.idle, "close a connection that is silent for so long")->capture_default_str();
  const auto deed = [&](const char* name, Deed which, const char* text) {
    app.add_option(name, words.deeds[place(which)], text);
  };
  deed("--reject", Deed::reject, "STAGE[:CODE[:PROBABILITY]]: answer 5xx; several");
  deed("--defer", Deed::defer, "STAGE[:CODE[:PROBABILITY]]: answer 4xx; several");
  deed("--drop", Deed::drop, "STAGE[:PROBABILITY]: close instead of answering; several");
  deed("--nonsense", Deed::nonsense, "STAGE[:PROBABILITY]: answer what is no SMTP; several");
  deed("--hang", Deed::hang, "STAGE[:PROBABILITY]: never answer, keep the connection; several");
  app.add_option("--reject-rcpt", words.recipient_deeds[place(Deed::reject)],
                 "PATTERN[:CODE[:PROBABILITY]]: 5xx for recipients like 'bad*'; several");
  app.add_option("--defer-rcpt", words.recipient_deeds[place(Deed::defer)], "the same with 4xx; several");
  app.add_option("--slow", words.delays, "STAGE:DURATION: wait before it; several");
  app.add_option("--drip", words.drip, "DURATION: send replies octet by octet, so far apart");
  app.add_option("--seed", words.seed, "of the chances")->capture_default_str();
  app.add_option("--cpu", options.cpu, "run on this CPU");
  app.add_flag("--json", options.json, "the summary at the end as JSON");
  app.add_flag("--quiet", options.quiet, "no summary");
}

Result<void> add_rules(const Words& words, Behaviour& behaviour) {
  for (std::size_t deed = 0; deed < kDeeds; ++deed) {
    for (const std::string& text : words.recipient_deeds[deed])
      if (auto added = behaviour.add_recipient(static_cast<Deed>(deed), text); !added) return added;
    for (const std::string& text : words.deeds[deed])
      if (auto added = behaviour.add(static_cast<Deed>(deed), text); !added) return added;
  }
  for (const std::string& text : words.delays)
    if (auto added = behaviour.add_delay(text); !added) return added;
  return {};
}

// Port 0 too, which an address of a peer may not have.
Result<SocketAddress> listen_address(const std::string& text) {
  const bool any_port = text.ends_with(":0");
  auto address = SocketAddress::parse(any_port ? View(text).substr(0, text.size() - 2) : View(text), 2526);
  if (address && any_port) address->port = 0;
  return address;
}

Result<void> understand(const Words& words, Options& options, Shared& shared) {
  for (const std::string& text : words.listen) {
    const auto address = listen_address(text);
    if (!address) return std::unexpected(address.error());
    options.listen.push_back(*address);
  }
  const auto duration = [](const std::string& text, Duration& into) -> Result<void> {
    const auto given = tools::parse_duration(text);
    if (!given) return fail(text + " is no duration such as 250ms, 10s or 5m");
    into = *given;
    return {};
  };
  if (auto good = duration(words.idle, options.limits.idle); !good) return good;
  if (!words.drip.empty())
    if (auto good = duration(words.drip, options.limits.drip); !good) return good;
  offer(shared, words.offer);
  shared.random = Random(words.seed);
  return add_rules(words, shared.behaviour);
}

}  // namespace

std::optional<int> parse_options(int count, char** words_given, Options& options, Shared& shared) {
  CLI::App app{kAbout, "ringpost-sink"};
  Words words;
  declare(app, options, shared, words);
  try {
    app.parse(count, words_given);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto good = understand(words, options, shared); !good) {
    std::fprintf(stderr, "ringpost-sink: %s\n", good.error().message().c_str());
    return 2;
  }
  return std::nullopt;
}

}  // namespace ringpost::sink
