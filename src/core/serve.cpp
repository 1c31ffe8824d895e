// serve: the process around the cores. One thread per core runs a ring and a Core; the main thread waits for signals
// and for cores that end, reads the configuration anew on SIGHUP, and carries no mail.
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "core/confines.h"
#include "core/post.h"
#include "core/pulse.h"
#include "core/sizes.h"
#include "core/systemd.h"
#include "ringpost/base/check.h"
#include "ringpost/base/fd.h"
#include "ringpost/control.h"
#include "ringpost/core.h"

namespace ringpost::core {
namespace {

constexpr unsigned kHelperThreads = 2;
constexpr int kBeats = 4;            // tries to feed the watchdog in its time
constexpr Duration kEndGrace = 30s;  // after drain's time: for what is cut off to come back from the kernel

void say(const std::string& line) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

// One process: what its threads share.
class Process {
  using Clock = std::chrono::steady_clock;

 public:
  // `confines`: where the process has restricted itself to; null: it has not.
  Process(const config::Loaded& loaded, std::string file, const Confines* confines)
      : config_(std::make_shared<const config::Config>(loaded.config)),
        file_(std::move(file)),
        confines_(confines),
        cores_(core_count(*config_)),
        fleet_(cores_, kHelperThreads),
        started_(cores_ + 1),
        pulse_(cores_),
        ended_(eventfd(0, EFD_CLOEXEC)) {}

  int run();

 private:
  void core_thread(CoreId id);
  void core_failed(CoreId id, const Error& error);
  bool take_given_sockets();
  int wait();
  [[nodiscard]] int milliseconds_to_beat() const;
  void beat();
  void end();
  void reload();
  Result<void> serve_metrics();
  Result<void> serve_commands();
  [[nodiscard]] std::unique_ptr<control::HttpServer> http_server(Post kind);
  void to_all(const std::function<ring::Mail()>& make);

  std::shared_ptr<const config::Config> config_;
  std::string file_;
  const Confines* confines_;
  unsigned cores_;
  ring::Fleet fleet_;
  std::shared_ptr<receive::Census> census_ = std::make_shared<receive::Census>();
  std::shared_ptr<report::EventFile> events_ =
      std::make_shared<report::EventFile>(ring::kernel_files(), config_->events);
  std::unique_ptr<control::HttpServer> metrics_;                // posts to fleet_
  std::vector<std::unique_ptr<control::HttpServer>> commands_;  // likewise
  std::shared_ptr<Board> board_ = make_board();
  std::barrier<> started_;
  std::atomic<bool> start_failed_ = false;
  std::atomic<bool> failed_ = false;
  Pulse pulse_;
  std::atomic<unsigned> running_ = 0;
  std::atomic<std::uint64_t> recovered_ = 0;
  Fd ended_;
  Fd signals_;  // SIGTERM, SIGINT
  Fd hangups_;  // SIGHUP
  bool draining_ = false;
  // Of the watchdog; nobody watches: no beat is due.
  std::optional<Duration> watchdog_ = watchdog_time();
  Clock::time_point next_beat_;
  Clock::time_point last_answer_;
  bool silence_told_ = false;
};

// Files of peers, sockets and segments: as many as the hard limit grants.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The CPU for a core's thread: the n-th of those that this process may run on, round and round.
int cpu_of(CoreId core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(getpid(), sizeof set, &set) != 0 || CPU_COUNT(&set) == 0) return -1;
  int left = core.value % CPU_COUNT(&set);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set) && left-- == 0) return cpu;
  return -1;
}

// Blocked in every thread and read from a descriptor by the main one. SIGPIPE is ignored: a closed socket is an errno.
Result<Fd> signal_descriptor(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0) return fail(errno, "signalfd");
  return Fd{fd};
}

int Process::run() {
  raise_file_limit();
  auto signals = signal_descriptor({SIGTERM, SIGINT});
  auto hangups = signal_descriptor({SIGHUP});
  if (!signals) return say("ringpost: " + signals.error().message()), 1;
  if (!hangups) return say("ringpost: " + hangups.error().message()), 1;
  signals_ = std::move(*signals);
  hangups_ = std::move(*hangups);
  for (const std::string& missing : ring::missing_in_kernel()) {
    say("ringpost: " + missing);
    start_failed_ = true;
  }
  if (start_failed_) return 1;
  const auto locked = spool::lock(ring::kernel_files(), config_->spool.directory);
  if (!locked) {
    say("ringpost: " +
        (locked.error().code == EWOULDBLOCK
             ? config_->spool.directory + ": another process runs on this spool; stop it, or give this one "
                                          "its own spool.directory"
             : locked.error().message()));
    return 1;
  }
  if (!take_given_sockets()) return 1;
  events_->on_trouble([](const std::string& line) { say("ringpost: " + line); });
  if (auto serving = serve_metrics(); !serving)
    return say("ringpost: metrics.address: " + serving.error().message()), 1;
  if (auto serving = serve_commands(); !serving) return say("ringpost: control: " + serving.error().message()), 1;
  running_ = cores_;
  std::vector<std::jthread> threads;
  threads.reserve(cores_);
  for (std::uint16_t i = 0; i < cores_; ++i) threads.emplace_back([this, i] { core_thread({i}); });
  started_.arrive_and_wait();
  if (start_failed_) std::_Exit(1);  // without destructors: rooms may have operations in the kernel
  const int code = wait();
  threads.clear();
  metrics_.reset();
  commands_.clear();
  ring::kernel_files().close(*locked);
  return code;
}

// A socket that nobody here would accept from is an error: its clients would wait for ever.
bool Process::take_given_sockets() {
  for (GivenSocket& given : core::take_given_sockets()) {
    const bool listener = std::ranges::any_of(config_->listeners, [&](const config::Listener& configured) {
      return given.address.known() && configured.address == given.address;
    });
    if (!listener) {
      say(
          fmt::format("ringpost: the service manager gave a socket ({}) that is no [[listener]] of the configuration: "
                      "give both the same address",
                      given.address.known() ? given.address.text() : "not TCP"));
      return false;
    }
    fleet_.give(given.address, std::move(given.socket));
  }
  return true;
}

// Threads of its own take connections at once; what is asked waits for core 0's loop.
Result<void> Process::serve_metrics() {
  if (!config_->metrics.address.known()) return {};
  metrics_ = http_server(Post::http);
  auto bound = metrics_->listen(config_->metrics.address);
  if (!bound) return std::unexpected(bound.error());
  say(fmt::format("metrics on http://{}/metrics", bound->text()));
  return {};
}

// What is asked of it waits for core 0, by its number.
std::unique_ptr<control::HttpServer> Process::http_server(Post kind) {
  auto itself = std::make_shared<control::HttpServer*>(nullptr);
  auto made = std::make_unique<control::HttpServer>([this, kind, itself](std::uint64_t number) {
    ring::Mail asked = mail_of(kind, {}, *itself);
    asked.words[0] = number;
    fleet_.mail_to({0}, asked);
  });
  *itself = made.get();
  return made;
}

Result<void> Process::serve_commands() {
  const config::Control& control = config_->control;
  if (control.http.known()) {
    const auto bound = commands_.emplace_back(http_server(Post::command))->listen(control.http);
    if (!bound) return std::unexpected(bound.error());
    say(fmt::format("commands on http://{}/v1/", bound->text()));
  }
  if (control.http_socket.empty()) return {};
  return commands_.emplace_back(http_server(Post::command))->listen_local(control.http_socket);
}

void Process::core_thread(CoreId id) {
  pthread_setname_np(pthread_self(), fmt::format("core {}", id.value).c_str());
  const auto give_up = [&](const Error& error) {
    say(fmt::format("ringpost: core {}: {}", id.value, error.message()));
    start_failed_ = true;
    started_.arrive_and_wait();
    for (;;) pause();  // the main thread ends the process: no loop runs yet, so nothing was taken and nothing is lost
  };
  ring::RingOptions options;
  options.operations = sizes_of(*config_).operations;
  options.restrict = config_->hardening.io_uring;
  if (config_->pin) options.pin_to_cpu = cpu_of(id);
  auto ring = ring::make_ring(fleet_, id, cores_, options);
  if (!ring) return give_up(ring.error());
  {
    // Each core has its own copy: no reference count is shared on the hot path.
    auto own = std::make_shared<const config::Config>(*config_);
    Core core(
        **ring, std::move(own), file_,
        [&](const Error* failure) {
          if (failure != nullptr) core_failed(id, *failure);
          (*ring)->stop();
        },
        census_, events_, board_);
    if (auto started = core.start(); !started) return give_up(started.error());
    recovered_ += core.recovery().messages;
    started_.arrive_and_wait();
    (*ring)->run();
  }
  pulse_.ended(id);
  --running_;
  const std::uint64_t one = 1;
  CHECK(write(ended_.get(), &one, sizeof one) == sizeof one);
}

void Process::core_failed(CoreId id, const Error& error) {
  say(fmt::format("ringpost: core {} has stopped: {}: look at the disk, then start again", id.value, error.message()));
  failed_ = true;
}

int Process::wait() {
  ring::Mail started = mail_of(Post::started, {}, nullptr);
  started.words[0] = recovered_;
  fleet_.mail_to({0}, started);
  say("ready");
  notify_ready(fmt::format("{} cores, {} messages recovered", cores_, recovered_.load()));
  last_answer_ = next_beat_ = Clock::now();
  while (running_ > 0) {
    beat();
    pollfd waiting[] = {{signals_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}, {hangups_.get(), POLLIN, 0}};
    if (poll(waiting, std::size(waiting), milliseconds_to_beat()) < 0) {
      CHECK(errno == EINTR);
      continue;
    }
    signalfd_siginfo info{};
    if ((waiting[2].revents & POLLIN) != 0) {
      // Told before the signal is taken: who sees it no longer pending knows that the service manager has been told.
      if (!draining_) notify_reloading();
      if (read(hangups_.get(), &info, sizeof info) == sizeof info) reload();
    }
    if ((waiting[0].revents & POLLIN) != 0 && read(signals_.get(), &info, sizeof info) == sizeof info) end();
    if ((waiting[1].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      CHECK(read(ended_.get(), &count, sizeof count) == sizeof count);
      end();  // where one core has failed: the others drain
    }
  }
  return failed_ ? 1 : 0;
}

int Process::milliseconds_to_beat() const {
  if (!watchdog_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_beat_ - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

// The service manager hears of us while the loop of every core turns, four times in the watchdog's time; a core that
// hangs ends it, since what that core holds waits for a restart.
void Process::beat() {
  if (!watchdog_ || Clock::now() < next_beat_) return;
  next_beat_ = Clock::now() + *watchdog_ / kBeats;
  if (pulse_.all_answered()) {
    notify_alive();
    last_answer_ = Clock::now();
    silence_told_ = false;
    pulse_.ask(fleet_);
  } else if (!silence_told_ && Clock::now() - last_answer_ > *watchdog_ / 2) {
    silence_told_ = true;
    say(fmt::format("ringpost: core {} has not turned its loop for {}: the watchdog will end the process",
                    pulse_.silent(), config::duration_text(*watchdog_ / 2)));
  }
}

void Process::end() {
  if (draining_) return;
  draining_ = true;
  say(fmt::format("draining, at most {}", config::duration_text(config_->drain)));
  notify_stopping(config_->drain + kEndGrace);
  to_all([] { return mail_of(Post::drain, {}, nullptr); });
}

void Process::reload() {
  if (draining_) return;
  const auto surroundings = config::Surroundings::of_this_system();
  const auto checked = file_.empty() ? config::embedded(surroundings) : config::load(file_, surroundings);
  if (!checked) {
    for (const config::Problem& problem : checked.error()) say(problem.text());
    say("not reloaded: the configuration in force stays");
    auto told = std::make_unique<std::string>(
        fmt::format("not reloaded, the configuration in force stays: {}{}", checked.error().front().text(),
                    checked.error().size() == 1 ? "" : fmt::format(" (and {} more)", checked.error().size() - 1)));
    fleet_.mail_to({0}, mail_of(Post::trouble, {}, told.release()));
  } else {
    config::Config next = config::reloaded(*config_, checked->config);
    const bool reachable = next.events.file.empty() || confines_ == nullptr || confines_->may_write(next.events.file);
    if (!reachable) next.events.file = config_->events.file;
    for (const config::Change& change : config::diff(*config_, checked->config)) {
      View taken = change.reloadable ? "" : ": needs a restart, the old value stays in force";
      if (change.key == "events.file" && !reachable)
        taken =
            ": needs a restart, the old value stays in force: the process has restricted itself to other directories "
            "(hardening.landlock)";
      say(fmt::format("{}: {} -> {}{}", change.key, change.before, change.after, taken));
    }
    config_ = std::make_shared<const config::Config>(std::move(next));
    to_all([this] {
      return mail_of(Post::reload, {},
                     new std::shared_ptr<const config::Config>(std::make_shared<const config::Config>(*config_)));
    });
    say("reloaded");
  }
  notify_ready("running");
}

void Process::to_all(const std::function<ring::Mail()>& make) {
  for (std::uint16_t i = 0; i < cores_; ++i) fleet_.mail_to({i}, make());
}

}  // namespace

int serve(const config::Loaded& loaded, const std::string& config_file) {
  const config::Config& config = loaded.config;
  // The spool's directory is made if it is missing, which must be before it is all that may be written to. What is
  // wrong with it is told by who opens it.
  (void)ring::kernel_files().make_directory(config.spool.directory);
  const Confines confines = confines_of(config, config_file);
  const bool confined = config.hardening.landlock && landlock_version() > 0;
  if (confined) {
    if (const auto done = confine(confines); !done) {
      say(fmt::format(
          "ringpost: cannot restrict itself to its directories: {}: look at it, or set hardening.landlock = "
          "false",
          done.error().message()));
      return 1;
    }
  }
  Process process(loaded, config_file, confined ? &confines : nullptr);
  return process.run();
}

}  // namespace ringpost::core
