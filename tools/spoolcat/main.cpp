// ringpost-spoolcat: what a spool directory holds, one line a message, for people or (--json) for programs. Reads only,
// takes no lock: beside a running daemon it shows the spool as of some moment of its run, and a crashed one as recovery
// would find it. Exit: 0 all is readable, 1 something is damaged or the directory cannot be read, 2 wrong usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ringpost/base/escape.h"
#include "ringpost/spool.h"
#include "tools/common/sha256.h"

namespace {

using namespace ringpost;
using nlohmann::ordered_json;

// Hashes a content as it comes: all of it, and what stands behind its first empty line.
class ContentHash {
 public:
  void take(View octets) {
    whole_.take(octets);
    if (!in_body_) octets.remove_prefix(header_part(octets));
    if (in_body_) body_.take(octets);
  }
  std::string whole() { return std::string{tools::view_of(whole_.hex())}; }
  std::string body() { return std::string{tools::view_of(body_.hex())}; }

 private:
  // Octets at the front that belong to the header section; finds its end.
  std::size_t header_part(View octets) {
    for (std::size_t i = 0; i < octets.size(); ++i) {
      if (octets[i] == '\n') {
        if (line_empty_) {
          in_body_ = true;
          return i + 1;
        }
        line_empty_ = true;
      } else if (octets[i] != '\r') {
        line_empty_ = false;
      }
    }
    return octets.size();
  }

  tools::Sha256 whole_;
  tools::Sha256 body_;
  bool in_body_ = false;
  bool line_empty_ = true;
};

View word_of(message::Status status) {
  switch (status) {
    case message::Status::open:
      return "open";
    case message::Status::delivered:
      return "delivered";
    case message::Status::failed:
      return "failed";
    case message::Status::removed:
      return "removed";
    case message::Status::bounced:
      return "bounced";
    case message::Status::relayed:
      return "relayed";
    case message::Status::held:
      return "held";
  }
  return "unknown";
}

ordered_json recipient_line(const message::Recipient& recipient, const message::RecipientState& state) {
  ordered_json line;
  line["to"] = std::string{recipient.forward_path};
  line["status"] = std::string{word_of(state.status)};
  line["attempts"] = state.attempts;
  if (state.status == message::Status::open) line["due"] = state.due.milliseconds;
  if (state.code != 0) line["code"] = state.code;
  if (!state.text.empty()) line["text"] = std::string{state.text};
  if (state.enhanced.given()) {
    char room[smtp::EnhancedCode::kTextLength];
    line["enhanced"] = std::string{state.enhanced.write(room)};
  }
  if (!state.host.empty()) line["host"] = std::string{state.host};
  if (state.attempted != WallTime{}) line["attempted"] = state.attempted.milliseconds;
  if (state.delay_told) line["delay_told"] = true;
  return line;
}

ordered_json line_of(const spool::Dump& dump, bool& damaged) {
  ordered_json line;
  line["id"] = dump.id.text();
  if (dump.envelope == nullptr) {
    damaged = true;
    line["state"] = "damaged";
    return line;
  }
  line["from"] = std::string{dump.envelope->reverse_path()};
  line["open"] = ordered_json::array();
  ordered_json recipients = ordered_json::array();
  for (std::size_t i = 0; i < dump.state->size(); ++i) {
    const message::RecipientState state = dump.state->at(i);
    const message::Recipient recipient = dump.envelope->recipient(i);
    if (state.status == message::Status::open) line["open"].push_back(std::string{recipient.forward_path});
    recipients.push_back(recipient_line(recipient, state));
  }
  line["state"] = line["open"].empty() ? "failed" : "queued";
  ContentHash hash;
  const auto read = dump.content([&](View octets) { hash.take(octets); });
  if (read) {
    line["sha256"] = hash.whole();
    line["body_sha256"] = hash.body();
  } else {
    damaged = true;
    line["state"] = "damaged";
    line["error"] = read.error().message();
  }
  line["size"] = dump.facts->size;
  line["accepted"] = dump.envelope->accepted.milliseconds;
  line["recipients"] = std::move(recipients);
  return line;
}

std::string for_people(const ordered_json& line) {
  std::string text = line["id"].get<std::string>() + " " + line["state"].get<std::string>();
  if (!line.contains("from")) return text;
  text += " " + std::to_string(line["size"].get<std::uint64_t>()) + " <" + escaped(line["from"].get<std::string>()) +
          "> to";
  for (const auto& to : line["open"]) text += " <" + escaped(to.get<std::string>()) + ">";
  if (line.contains("sha256")) text += " sha256 " + line["sha256"].get<std::string>();
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What a spool directory holds, one line a message. Reads only."};
  std::string directory;
  bool json = false;
  app.add_option("DIR", directory, "the spool directory (spool.directory of the relay's configuration)")->required();
  app.add_flag("--json", json, "one JSON object a line");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  bool damaged = false;
  const auto found = spool::read_logs(ring::kernel_files(), directory, [&](const spool::Dump& dump) {
    const ordered_json line = line_of(dump, damaged);
    // What a client wrote is octets: what is no UTF-8 is shown as such, never dropped with its line.
    const std::string text =
        json ? line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) : for_people(line);
    std::printf("%s\n", text.c_str());
  });
  if (!found) {
    std::fprintf(stderr, "ringpost-spoolcat: %s\n", found.error().message().c_str());
    return 1;
  }
  if (found->damaged_batches > 0)
    std::fprintf(stderr, "ringpost-spoolcat: %llu damaged batches\n",
                 static_cast<unsigned long long>(found->damaged_batches));
  return damaged || found->damaged_batches > 0 ? 1 : 0;
}
