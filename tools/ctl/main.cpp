// ringpostctl: the operator's side of the control socket. Sends one request, shows the answer as tables or, with
// --json, as the lines that came. Exit: 0 done, 1 the relay said no or cannot be reached, 2 wrong usage.
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "tables.h"
#include "talk.h"

namespace {

using nlohmann::ordered_json;
using namespace ringpost::ctl;

// Sections of --help, as CLI11 has them: from these pages the manual and the completions are made.
constexpr char kFooter[] =
    "Filters:\n"
    "  Every condition that is given must hold. ADDRESS is user@example.net, @example.net for any user there, or <>\n"
    "  for the null reverse-path. AGE is a duration: 90s, 15m, 2h, 5d.\n\n"
    "Exit codes:\n"
    "  0 done, 1 the relay said no or cannot be reached, 2 wrong usage";

struct Options {
  std::string socket = "/run/ringpost/control";
  bool json = false;
  ordered_json request = ordered_json::object();
};

// Who asks, as the events will say: the user behind sudo, or the one who runs this.
std::string user_name() {
  if (const char* behind = std::getenv("SUDO_USER"); behind != nullptr && *behind != '\0') return behind;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_name : std::to_string(getuid());
}

// The lines of an answer on their way to the user.
class Shown {
 public:
  Shown(std::string command, bool json) : command_(std::move(command)), json_(json) {}

  void line(const std::string& text, ordered_json object) {
    ++lines_;
    if (json_)
      std::printf("%s\n", text.c_str());
    else if (object.contains("content"))
      content(object["content"].get_ref<const std::string&>());
    else if (command_ == "list" || command_ == "search" || command_ == "queue" || object.contains("to"))
      table_row(std::move(object));
    else
      print_object(object);
  }

  void end(const End& end) {
    table_.flush();
    if (!json_ && lines_ == 0 && end.good) std::printf("%s\n", command_ == "queue" ? "no mail waits" : "no messages");
    std::fflush(stdout);
    if (!end.after.empty()) std::fprintf(stderr, "ringpostctl: there are more: --after %s\n", end.after.c_str());
  }

 private:
  void table_row(ordered_json object) {
    if (command_ == "show" && table_.empty()) std::printf("\n");
    table_.add(std::move(object));
  }
  void content(const std::string& octets) {
    table_.flush();
    if (!content_begun_) std::printf("\n");
    content_begun_ = true;
    std::fwrite(octets.data(), 1, octets.size(), stdout);
  }

  std::string command_;
  bool json_;
  Table table_;
  std::size_t lines_ = 0;
  bool content_begun_ = false;
};

int run(Options& options) {
  const std::string command = options.request["command"];
  options.request["by"] = user_name();
  Shown shown(command, options.json);
  const End end = ask(options.socket, options.request,
                      [&](const std::string& text, ordered_json object) { shown.line(text, std::move(object)); });
  shown.end(end);
  if (end.good) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "ringpostctl: %s\n", end.error.c_str());
  return 1;
}

// ---- the command line

CLI::App* add_command(CLI::App& app, Options& options, const std::string& name, const std::string& text) {
  CLI::App* command = app.add_subcommand(name, text);
  command->callback([&options, name] { options.request["command"] = name; });
  return command;
}

void add_string(CLI::App* command, Options& options, const std::string& name, const std::string& key,
                const std::string& text, const std::string& shape = "TEXT") {
  command
      ->add_option_function<std::string>(
          name, [&options, key](const std::string& value) { options.request[key] = value; }, text)
      ->type_name(shape);
}

void add_number(CLI::App* command, Options& options, const std::string& name, const std::string& key,
                const std::string& text) {
  command
      ->add_option_function<std::uint64_t>(
          name, [&options, key](std::uint64_t value) { options.request[key] = value; }, text)
      ->type_name("N");
}

void add_flag(CLI::App* command, Options& options, const std::string& name, const std::string& key,
              const std::string& text) {
  command->add_flag_callback(name, [&options, key] { options.request[key] = true; }, text);
}

void add_filter(CLI::App* command, Options& options) {
  add_string(command, options, "--from", "from", "reverse-path", "ADDRESS");
  add_string(command, options, "--to", "to", "a recipient", "ADDRESS");
  add_string(command, options, "--destination", "destination", "waits for this destination, as `queue` names it",
             "NAME");
  add_string(command, options, "--older", "older", "accepted at least so long ago", "AGE");
  add_string(command, options, "--newer", "newer", "accepted at most so long ago", "AGE");
  add_string(command, options, "--error", "error", "words in the last error of a recipient");
  add_number(command, options, "--code", "code", "reply code of the last error of a recipient");
  add_string(command, options, "--state", "state", "queued, held, failed or damaged", "STATE");
}

void add_changing(CLI::App& app, Options& options, const std::string& name, const std::string& text) {
  CLI::App* command = add_command(app, options, name, text);
  add_string(command, options, "id", "id", "one message: its spool id", "ID");
  add_filter(command, options);
  add_flag(command, options, "--all", "all", "every message");
  add_flag(command, options, "--dry-run", "dry_run", "change nothing: say how many messages it would be");
  if (name == "reroute") add_string(command, options, "--route", "route", "the destination to send them to", "NAME");
}

void add_commands(CLI::App& app, Options& options) {
  add_command(app, options, "status", "counts and state of the relay");
  CLI::App* queue = add_command(app, options, "queue", "destinations with mail, the fullest first");
  add_string(queue, options, "--destination", "destination", "only this one", "NAME");
  add_number(queue, options, "--limit", "limit", "destinations at most (1000)");
  for (const auto& [name, text] : {std::pair{"list", "messages, the oldest first"},
                                   {"search", "messages that a filter is about, the oldest first"}}) {
    CLI::App* list = add_command(app, options, name, text);
    add_string(list, options, "id", "id", "one message: its spool id", "ID");
    add_filter(list, options);
    add_number(list, options, "--limit", "limit", "messages at most (100)");
    add_string(list, options, "--after", "after", "go on where an answer before has ended", "CURSOR");
  }
  CLI::App* show = add_command(app, options, "show", "one message: envelope, recipients, their last attempts");
  add_string(show, options, "id", "id", "spool id, as in the 250", "ID");
  add_flag(show, options, "--headers", "headers", "with the header section");
  add_flag(show, options, "--content", "content", "with the whole content");
  add_changing(app, options, "flush", "attempt now what waits, and end the pauses of its destinations");
  add_changing(app, options, "hold", "attempt no more until released");
  add_changing(app, options, "release", "let go what is held, and attempt it now");
  add_changing(app, options, "remove", "drop without delivering or telling the sender");
  add_changing(app, options, "reroute", "find the destination anew, or send to a given one, now");
  for (const auto& [name, text] : {std::pair{"suspend", "attempt nothing at a destination until it is resumed"},
                                   {"resume", "end a destination's suspension"}}) {
    CLI::App* command = add_command(app, options, name, text);
    command
        ->add_option_function<std::string>(
            "destination", [&options](const std::string& value) { options.request["destination"] = value; },
            "as `queue` names it")
        ->required()
        ->type_name("NAME");
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Asks a running ringpost about its queue and tells it what to do."};
  Options options;
  app.add_option("--socket", options.socket, "the relay's control.socket")->capture_default_str();
  app.add_flag("--json", options.json, "the answer as lines of JSON");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kFooter);
  add_commands(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run(options);
}
