// Configuration files: whatever the text, there is a list of problems that name their lines, or a configuration that
// is the same again when it is written out key by key and read.
#include <algorithm>
#include <cstdint>
#include <string>

#include "ringpost/base/check.h"
#include "ringpost/config.h"

namespace config = ringpost::config;

namespace {

// The settings as a file: keys of the relay by their dotted names, then each entry of a list.
std::string written(const config::Loaded& loaded) {
  std::string top;
  std::string entries;
  std::string entry;
  for (const config::Setting& setting : loaded.settings) {
    const std::size_t bracket = setting.key.find('[');
    if (bracket == std::string::npos) {
      top += setting.key + " = " + setting.value + "\n";
      continue;
    }
    const std::size_t dot = setting.key.find("].");
    if (setting.key.substr(0, dot) != entry) {
      entry = setting.key.substr(0, dot);
      entries += "[[" + setting.key.substr(0, bracket) + "]]\n";
    }
    entries += setting.key.substr(dot + 2) + " = " + setting.value + "\n";
  }
  return top + entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ringpost::View text(reinterpret_cast<const char*>(data), size);
  const config::Surroundings surroundings{.hostname = "box.example.net", .home = "/home/op", .state = ""};
  const config::Checked checked = config::parse(text, "f", surroundings);
  if (!checked) {
    const auto lines = static_cast<unsigned>(std::count(text.begin(), text.end(), '\n')) + 1;
    CHECK(!checked.error().empty());
    for (const config::Problem& problem : checked.error()) {
      CHECK(problem.line >= 1 && problem.line <= lines);
      CHECK(!problem.what.empty());
    }
    return 0;
  }
  const config::Checked again = config::parse(written(*checked), "g", surroundings);
  CHECK(again.has_value());
  CHECK(config::diff(checked->config, again->config).empty());
  CHECK(!config::explain(checked->settings).empty());
  return 0;
}
