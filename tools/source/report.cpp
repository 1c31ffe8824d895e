// Counting and printing; see report.h.
#include "report.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "ringpost/base/ids.h"

namespace ringpost::source {
namespace {

constexpr std::array<View, 3> kFates{"accepted", "refused", "broken"};

double in_seconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }
double in_seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// The id that a relay like ours names in its 250, wherever it stands in the text.
View spool_id_in(View text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" <>()[]=,;"), text.size());
    if (end == SpoolId::kTextLength && SpoolId::parse(text.substr(0, end))) return text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

template <class Key>
nlohmann::ordered_json counted(const std::map<Key, std::uint64_t>& counts) {
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const auto& [key, count] : counts) all[fmt::format("{}", key)] = count;
  return all;
}

void print_for_people(const nlohmann::ordered_json& all) {
  for (const auto& [key, value] : all.items()) {
    if (!value.is_object()) {
      fmt::print("{:<20} {}\n", key,
                 value.is_number_float() ? fmt::format("{:.3f}", value.get<double>()) : value.dump());
      continue;
    }
    for (const auto& [inner, count] : value.items())
      fmt::print("{:<20} {}\n", fmt::format("{} {}", key, inner),
                 count.is_number_float() ? fmt::format("{:.3f}", count.get<double>()) : count.dump());
  }
}

}  // namespace

void Report::ended(const Ending& ending, WallTime wall) {
  switch (ending.result) {
    case Fate::accepted:
      ++accepted_;
      octets_ += ending.content->size();
      latency_.record(static_cast<std::uint64_t>(ending.latency.count()));
      break;
    case Fate::refused:
      ++refused_;
      ++refusals_[ending.code];
      break;
    case Fate::broken:
      ++broken_;
      break;
  }
  if (ending.result == Fate::accepted)
    for (const std::uint16_t code : *ending.recipient_codes)
      if (code / 100 != 2) ++recipients_refused_[code];
  if (ledger_.on()) write_line(ending, wall);
}

void Report::write_line(const Ending& ending, WallTime wall) {
  const Content& content = *ending.content;
  ledger_.begin();
  ledger_.number("time", static_cast<std::uint64_t>(wall.milliseconds));
  ledger_.text("result", kFates[static_cast<std::size_t>(ending.result)]);
  ledger_.text("id", plan_.ledger_id(ending.number, content));
  ledger_.number("number", ending.number);
  if (content.file != nullptr) ledger_.text("file", content.file->name);
  ledger_.text("from", plan_.options().from);
  write_recipients(ending);
  ledger_.number("code", ending.code);
  ledger_.text("text", ending.text);
  if (const View spool_id = spool_id_in(ending.text); !spool_id.empty()) ledger_.text("spool_id", spool_id);
  ledger_.text("sha256", tools::view_of(plan_.hash(content, ending.by_data)));
  ledger_.text("body_sha256", tools::view_of(plan_.body_hash(content, ending.by_data)));
  ledger_.number("bytes", content.size() + (ending.by_data && content.data_adds_crlf ? 2 : 0));
  ledger_.real("latency_ms", in_seconds(ending.latency) * 1e3);
  ledger_.end();
}

void Report::write_recipients(const Ending& ending) {
  std::string address;
  const auto list = [&](View key, bool taken) {
    ledger_.open_list(key);
    for (std::uint32_t k = 0; k < plan_.recipients(); ++k) {
      const std::uint16_t code = k < ending.recipient_codes->size() ? (*ending.recipient_codes)[k] : std::uint16_t{0};
      if ((code / 100 == 2) != taken) continue;
      address.clear();
      plan_.append_recipient(ending.number, k, address);
      ledger_.item(address);
    }
    ledger_.close_list();
  };
  list("to", true);
  list("to_refused", false);
}

void Report::print(std::uint64_t begun, Duration run, bool json) const {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double user = in_seconds(usage.ru_utime);
  const double system = in_seconds(usage.ru_stime);
  const double seconds = in_seconds(run);
  const auto quantile = [this](double p) { return static_cast<double>(latency_.quantile(p)) / 1e6; };
  nlohmann::ordered_json all{
      {"messages", begun},
      {"accepted", accepted_},
      {"refused", refused_},
      {"refused_by_code", counted(refusals_)},
      {"recipients_refused_by_code", counted(recipients_refused_)},
      {"broken", broken_},
      {"connections", connections_},
      {"connection_failures", counted(failures_)},
      {"octets", octets_},
      {"seconds", seconds},
      {"messages_per_second", seconds > 0 ? static_cast<double>(accepted_) / seconds : 0.0},
      {"latency_ms", {{"p50", quantile(0.5)}, {"p90", quantile(0.9)}, {"p99", quantile(0.99)}, {"max", quantile(1)}}},
      {"cpu_user_seconds", user},
      {"cpu_system_seconds", system}};
  if (accepted_ > 0) all["cpu_us_per_message"] = (user + system) * 1e6 / static_cast<double>(accepted_);
  if (json) {
    fmt::print("{}\n", all.dump());
  } else {
    print_for_people(all);
  }
}

void Report::print_progress(std::uint64_t of, Duration run, bool last) const {
  const double rate = run > Duration{0} ? static_cast<double>(accepted_) / in_seconds(run) : 0;
  const std::uint64_t done = accepted_ + refused_;
  std::string bar;
  if (of > 0) {
    constexpr std::uint64_t kWidth = 30;
    const std::uint64_t full = std::min(kWidth, done * kWidth / of);
    bar = fmt::format("[{}{}] {}/{}", std::string(full, '#'), std::string(kWidth - full, '.'), done, of);
  } else {
    bar = fmt::format("{}", done);
  }
  const bool terminal = isatty(STDERR_FILENO) != 0;
  fmt::print(stderr, "{}{} messages, {:.0f}/s, p99 {:.1f} ms{}", terminal ? "\r\033[K" : "", bar, rate,
             static_cast<double>(latency_.quantile(0.99)) / 1e6, terminal && !last ? "" : "\n");
}

}  // namespace ringpost::source
