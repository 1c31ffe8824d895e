// The command line: `serve`, `check`, and what writes the reference page. It reads the configuration, says what is
// wrong with it, and hands over to core. Nothing here knows mail.
//
// Exit codes: 0 done, 1 failed, 2 the configuration or the command line is wrong.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "ringpost/config.h"
#include "ringpost_options.h"

namespace config = ringpost::config;

namespace {

constexpr int kOk = 0;
constexpr int kWrongConfig = 2;

struct Arguments {
  std::string config_file;  // empty: the embedded configuration
  bool explain = false;
};

void print(std::FILE* to, const std::string& text) { std::fwrite(text.data(), 1, text.size(), to); }

config::Checked read(const Arguments& arguments) {
  const auto surroundings = config::Surroundings::of_this_system();
  return arguments.config_file.empty() ? config::embedded(surroundings)
                                       : config::load(arguments.config_file, surroundings);
}

int say_wrong(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) print(stderr, problem.text() + "\n");
  return kWrongConfig;
}

int check(const Arguments& arguments) {
  const config::Checked checked = read(arguments);
  if (!checked) return say_wrong(checked.error());
  for (const config::Problem& note : checked->notes) print(stdout, note.text() + "\n");
  if (arguments.explain) print(stdout, config::explain(checked->settings));
  return kOk;
}

int write_reference() {
  print(stdout, config::reference_page());
  return kOk;
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  CLI::App app{"Ringpost: a fast SMTP relay that loses nothing", "ringpost"};
  app.set_version_flag("--version", std::string("ringpost ") + RINGPOST_VERSION);
  app.require_subcommand(1);
  const auto add_config = [&](CLI::App* command) {
    command->add_option("--config", arguments.config_file, "configuration file; without it an embedded one is used")
        ->type_name("FILE");
  };
  auto* check_command = app.add_subcommand("check", "read the configuration and say what is wrong with it");
  add_config(check_command);
  check_command->add_flag("--explain", arguments.explain, "print each key's value and where it comes from");
  auto* reference_command = app.add_subcommand("config-reference", "write docs/configuration.md")->group("");

  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kWrongConfig;  // --help and --version arrive here as well
  }
  if (reference_command->parsed()) return write_reference();
  return check(arguments);
}
