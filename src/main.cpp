// The command line: `serve`, `check`, `reload`, and what writes the embedded configuration and the reference pages. It
// reads the configuration, says what is wrong with it, and hands over to core. Nothing here knows mail.
//
// Exit codes: 0 done, 1 failed, 2 the configuration or the command line is wrong.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "ringpost/config.h"
#include "ringpost/core.h"
#include "ringpost/report.h"
#include "ringpost/ring.h"
#include "ringpost/spool.h"
#include "ringpost_options.h"

namespace config = ringpost::config;
namespace core = ringpost::core;

namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
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

void say_write_path(const std::string& directory) {
  print(stdout, fmt::format("write path of {}:\n", directory));
  const auto lines = ringpost::spool::describe_write_path(ringpost::ring::kernel_files(), directory);
  if (!lines) return print(stdout, fmt::format("  not measured: {}\n", lines.error().message()));
  for (const std::string& line : *lines) print(stdout, fmt::format("  {}\n", line));
}

int check(const Arguments& arguments) {
  const config::Checked checked = read(arguments);
  if (!checked) return say_wrong(checked.error());
  const auto plan = core::memory_plan(checked->config);
  for (const config::Problem& note : checked->notes) print(stdout, note.text() + "\n");
  if (arguments.explain) print(stdout, config::explain(checked->settings) + "\n");
  print(stdout, "memory:\n" + config::memory_plan_text(plan, checked->config.limits.memory));
  if (const auto problem = config::memory_problem(*checked, plan)) return say_wrong({*problem});
  say_write_path(checked->config.spool.directory);
  print(stdout, "hardening:\n");
  for (const std::string& line : core::describe_hardening(checked->config, arguments.config_file))
    print(stdout, fmt::format("  {}\n", line));
  print(stdout, checked->file + ": no errors\n");
  return kOk;
}

int serve(const Arguments& arguments) {
  const config::Checked checked = read(arguments);
  if (!checked) return say_wrong(checked.error());
  if (const auto problem = config::memory_problem(*checked, core::memory_plan(checked->config))) {
    return say_wrong({*problem});
  }
  for (const config::Problem& note : checked->notes) print(stderr, note.text() + "\n");
  return core::serve(*checked, arguments.config_file);
}

int reload(int process) {
  const auto asked = core::ask_reload(process);
  if (asked) return kOk;
  print(stderr, "ringpost: " + asked.error().message() + "\n");
  return kFailed;
}

int write(const std::string& text) {
  print(stdout, text);
  return kOk;
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  CLI::App app{"Ringpost: a fast SMTP relay that loses nothing", "ringpost"};
  app.set_version_flag("--version", std::string("ringpost ") + RINGPOST_VERSION);
  app.require_subcommand(1);
  const auto add_config = [&](CLI::App* command) {
    command
        ->add_option("--config", arguments.config_file,
                     "configuration file, read with the conf.d beside it; without it an embedded one is used")
        ->type_name("FILE");
  };
  auto* serve_command = app.add_subcommand("serve", "run the relay in the foreground");
  add_config(serve_command);
  auto* check_command = app.add_subcommand("check", "say what is wrong with the configuration and what it asks for");
  add_config(check_command);
  check_command->add_flag("--explain", arguments.explain, "print each key's value and where it comes from");
  int process = 0;
  auto* reload_command = app.add_subcommand("reload", "have a running relay read its configuration again");
  reload_command->add_option("process", process, "its process id")->required()->check(CLI::PositiveNumber);
  auto* default_command =
      app.add_subcommand("default-config", "print the embedded configuration, to begin a file with");
  auto* reference_command = app.add_subcommand("config-reference", "write docs/configuration.md")->group("");
  auto* metrics_command = app.add_subcommand("metrics-reference", "write docs/metrics.md")->group("");

  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kWrongConfig;  // --help and --version arrive here as well
  }
  if (serve_command->parsed()) return serve(arguments);
  if (reload_command->parsed()) return reload(process);
  if (default_command->parsed()) return write(config::embedded_text(config::Surroundings::of_this_system()));
  if (reference_command->parsed()) return write(config::reference_page());
  if (metrics_command->parsed()) return write(ringpost::report::metrics_page());
  return check(arguments);
}
