#include "zone.h"

#include <algorithm>
#include <charconv>

#include "tools/common/amounts.h"

namespace ringpost::dnsd {
namespace {

struct Name {
  View word;
  Deed deed;
};
constexpr Name kDeeds[] = {
    {"servfail", Deed::servfail},
    {"refuse", Deed::refuse},
    {"no-edns", Deed::no_edns},
    {"silence", Deed::silence},
    {"delay", Deed::delay},
    {"truncate", Deed::truncate},
    {"cut", Deed::cut},
    {"wrong-id", Deed::wrong_id},
    {"wrong-question", Deed::wrong_question},
    {"wrong-source", Deed::wrong_source},
    {"lie", Deed::lie},
    {"loop", Deed::loop},
    {"compression-loop", Deed::compression_loop},
    {"garbage", Deed::garbage},
    {"empty", Deed::empty},
    {"nxdomain", Deed::nxdomain},
    {"nodata", Deed::no_data},
    {"no-soa", Deed::no_soa},
    {"no-follow", Deed::no_follow},
};

struct TypeName {
  View word;
  std::uint16_t type;
};
constexpr TypeName kTypes[] = {{"A", kA},         {"AAAA", kAaaa}, {"MX", kMx},
                               {"CNAME", kCname}, {"TXT", kTxt},   {"SOA", kSoa}};

std::vector<View> words_of(View line) {
  std::vector<View> words;
  for (std::size_t at = 0; at < line.size();) {
    at = line.find_first_not_of(" \t\r", at);
    if (at == View::npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string lower(View name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

std::vector<std::string> labels_of(const std::string& name) {
  std::vector<std::string> labels;
  for (const View label : tools::split(name, '.')) labels.emplace_back(label);
  return labels;
}

// "*" first stands for one or more labels, elsewhere for one.
bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& name) {
  if (name.size() < pattern.size()) return false;
  for (std::size_t back = 1; back <= pattern.size(); ++back) {
    const std::string& want = pattern[pattern.size() - back];
    if (want != "*" && want != name[name.size() - back]) return false;
  }
  return name.size() == pattern.size() || pattern.front() == "*";
}

Result<Behaviour> behaviour_of(View deed, const std::vector<View>& more) {
  Behaviour behaviour;
  const auto known = std::find_if(std::begin(kDeeds), std::end(kDeeds), [&](const Name& n) { return n.word == deed; });
  if (known == std::end(kDeeds)) return fail("'!" + std::string(deed) + "' is no misbehaviour");
  behaviour.deed = known->deed;
  for (const View word : more) {
    const View value = word.substr(std::min(word.find('=') + 1, word.size()));
    if (word == "only") {
      behaviour.only = true;
    } else if (word.starts_with("type=") && type_of(value)) {
      behaviour.type = type_of(value);
    } else if (word.starts_with("first=") && tools::parse_count(value)) {
      behaviour.first = *tools::parse_count(value);
    } else if (word.starts_with("delay=") && tools::parse_duration(value)) {
      behaviour.delay = *tools::parse_duration(value);
    } else {
      return fail("'" + std::string(word) + "' is none of only, type=TYPE, first=COUNT, delay=DURATION");
    }
  }
  return behaviour;
}

}  // namespace

std::optional<std::uint16_t> type_of(View word) {
  for (const TypeName& each : kTypes)
    if (equal_ignoring_case(each.word, word)) return each.type;
  return std::nullopt;
}

std::string type_text(std::uint16_t type) {
  for (const TypeName& each : kTypes)
    if (each.type == type) return std::string(each.word);
  return "TYPE" + std::to_string(type);
}

Result<void> Zone::read(View text) {
  unsigned number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const View line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (auto read = read_line(line.substr(0, line.find('#'))); !read)
      return fail("line " + std::to_string(number) + ": " + read.error().text);
  }
  return {};
}

Result<void> Zone::read_line(View line) {
  std::vector<View> words = words_of(line);
  if (words.empty()) return {};
  const std::string name = lower(words[0]);
  words.erase(words.begin());
  if (words.empty()) return fail("'" + name + "' stands alone");
  if (words[0].starts_with('!')) {
    const View deed = words[0].substr(1);
    words.erase(words.begin());
    auto behaviour = behaviour_of(deed, words);
    if (!behaviour) return std::unexpected(behaviour.error());
    node(name).behaviours.push_back(*behaviour);
    return {};
  }
  Record record;
  if (const auto ttl = tools::parse_count(words[0]); ttl && words.size() > 1) {
    record.ttl = static_cast<std::uint32_t>(*ttl);
    words.erase(words.begin());
  }
  const auto type = type_of(words[0]);
  if (!type || words.size() < 2) return fail("'" + std::string(words[0]) + "' is no type, or has no data");
  record.type = *type;
  const auto begin = static_cast<std::size_t>(words[1].data() - line.data());
  View data = line.substr(begin);
  while (data.ends_with(' ') || data.ends_with('\t') || data.ends_with('\r')) data.remove_suffix(1);
  record.data = data;
  node(name).records.push_back(std::move(record));
  return {};
}

Node& Zone::node(const std::string& name) {
  if (!name.contains('*')) return names_[name];
  const std::vector<std::string> labels = labels_of(name);
  for (Pattern& each : patterns_)
    if (each.labels == labels) return each.node;
  return patterns_.emplace_back(Pattern{labels, {}}).node;
}

Node* Zone::find(const std::string& name) {
  if (const auto own = names_.find(name); own != names_.end()) return &own->second;
  const std::vector<std::string> labels = labels_of(name);
  Pattern* best = nullptr;
  for (Pattern& each : patterns_)
    if (fits(each.labels, labels) && (best == nullptr || each.labels.size() > best->labels.size())) best = &each;
  return best == nullptr ? nullptr : &best->node;
}

bool Zone::has_below(const std::string& name) const {
  const std::string end = "." + name;
  return std::any_of(names_.begin(), names_.end(), [&](const auto& each) { return each.first.ends_with(end); }) ||
         std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& each) {
           std::string whole;
           for (const std::string& label : each.labels) whole += "." + label;
           return whole.ends_with(end);
         });
}

}  // namespace ringpost::dnsd
