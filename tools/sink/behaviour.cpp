// Rules of misbehaviour; see behaviour.h.
#include "behaviour.h"

#include <array>
#include <utility>

#include "tools/common/amounts.h"

namespace ringpost::sink {
namespace {

constexpr std::array<View, kStages> kStageNames{"connect", "ehlo", "mail", "rcpt", "data", "body", "dot", "quit"};
constexpr std::array<View, kDeeds> kDeedNames{"obey", "reject", "defer", "drop", "nonsense", "hang"};
// What a server says most often at each stage (RFC 5321 4.3.2).
constexpr std::array<std::uint16_t, kStages> kRejects{554, 550, 550, 550, 554, 554, 554, 500};
constexpr std::array<std::uint16_t, kStages> kDefers{421, 421, 451, 450, 451, 451, 451, 421};
constexpr std::uint64_t kChances = 1'000'000;  // resolution of a probability

std::optional<Stage> stage_of(View name) {
  for (std::size_t i = 0; i < kStages; ++i)
    if (kStageNames[i] == name) return static_cast<Stage>(i);
  return std::nullopt;
}

bool has_code(Deed deed) { return deed == Deed::reject || deed == Deed::defer; }

bool looks_like_code(View text) { return text.size() == 3 && text.find_first_not_of("0123456789") == View::npos; }

Result<std::uint16_t> code_of(Deed deed, View text) {
  const unsigned lowest = deed == Deed::reject ? 500 : 400;
  const auto code = tools::parse_count(text);
  if (!code || *code < lowest || *code > lowest + 99)
    return fail(std::string(text) + " is no code for " + std::string(deed_name(deed)) + ": " + std::to_string(lowest) +
                " to " + std::to_string(lowest + 99));
  return static_cast<std::uint16_t>(*code);
}

}  // namespace

View stage_name(Stage stage) { return kStageNames[static_cast<std::size_t>(stage)]; }
View deed_name(Deed deed) { return kDeedNames[static_cast<std::size_t>(deed)]; }

bool matches(View pattern, View text) {
  std::size_t star = View::npos;  // the last star passed, and the text it has swallowed up to
  std::size_t swallowed = 0;
  std::size_t at = 0;
  std::size_t in = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      swallowed = in;
    } else if (at < pattern.size() && (pattern[at] == '?' || ascii_lower(pattern[at]) == ascii_lower(text[in]))) {
      ++at;
      ++in;
    } else if (star != View::npos) {
      at = star + 1;
      in = ++swallowed;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

namespace {

// The fields behind the first one.
Result<std::pair<std::uint16_t, double>> code_and_probability(Deed deed, Stage stage, std::vector<View> fields) {
  const auto place = static_cast<std::size_t>(stage);
  std::uint16_t code = deed == Deed::reject ? kRejects[place] : deed == Deed::defer ? kDefers[place] : 0;
  double probability = 1;
  fields.erase(fields.begin());
  if (!fields.empty() && has_code(deed) && looks_like_code(fields[0])) {
    const auto given = code_of(deed, fields[0]);
    if (!given) return std::unexpected(given.error());
    code = *given;
    fields.erase(fields.begin());
  }
  if (!fields.empty()) {
    const auto given = tools::parse_probability(fields[0]);
    if (!given) return fail(std::string(fields[0]) + " is no probability: 0 to 1, or 0% to 100%");
    probability = *given;
    fields.erase(fields.begin());
  }
  if (!fields.empty()) return fail("what does " + std::string(fields[0]) + " mean here?");
  return std::pair{code, probability};
}

}  // namespace

Result<void> Behaviour::add(Deed deed, View text) {
  const auto fields = tools::split(text, ':');
  const auto stage = fields.empty() ? std::nullopt : stage_of(fields[0]);
  if (!stage)
    return fail(std::string(text) + ": no such stage; there are connect, ehlo, mail, rcpt, data, body, dot and quit");
  if (has_code(deed) && *stage == Stage::body) return fail("no reply is due at stage body: use data or dot");
  const auto rest = code_and_probability(deed, *stage, fields);
  if (!rest) return std::unexpected(rest.error());
  rules_.push_back({.stage = *stage, .deed = deed, .code = rest->first, .probability = rest->second, .pattern = {}});
  quiet_ = false;
  return {};
}

Result<void> Behaviour::add_recipient(Deed deed, View text) {
  const auto fields = tools::split(text, ':');
  if (fields.empty() || fields[0].empty()) return fail("a pattern of recipients is empty");
  const auto rest = code_and_probability(deed, Stage::rcpt, fields);
  if (!rest) return std::unexpected(rest.error());
  rules_.push_back({.stage = Stage::rcpt,
                    .deed = deed,
                    .code = rest->first,
                    .probability = rest->second,
                    .pattern = std::string(fields[0])});
  quiet_ = false;
  return {};
}

Result<void> Behaviour::add_delay(View text) {
  const auto fields = tools::split(text, ':');
  const auto stage = fields.size() == 2 ? stage_of(fields[0]) : std::nullopt;
  const auto delay = fields.size() == 2 ? tools::parse_duration(fields[1]) : std::nullopt;
  if (!stage || !delay) return fail(std::string(text) + " is not STAGE:DURATION, such as dot:250ms");
  delays_[static_cast<std::size_t>(*stage)] += *delay;
  quiet_ = false;
  return {};
}

Decision Behaviour::decide_slowly(Stage stage, Random& random, View recipient) const {
  Decision decision{.delay = delays_[static_cast<std::size_t>(stage)]};
  for (const Rule& rule : rules_) {
    if (rule.stage != stage || (rule.pattern && !matches(*rule.pattern, recipient))) continue;
    if (rule.probability < 1 && !random.chance(static_cast<std::uint64_t>(rule.probability * kChances), kChances))
      continue;
    decision.deed = rule.deed;
    decision.code = rule.code;
    return decision;
  }
  return decision;
}

}  // namespace ringpost::sink
