// The peer's side of SMTP.
#include "smarthost.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ringpost::sim {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;

// What stands between the first pair of angle brackets.
std::string path_of(const std::string& line) {
  const std::size_t begin = line.find('<');
  const std::size_t end = line.find('>');
  return begin == std::string::npos || end == std::string::npos ? "" : line.substr(begin + 1, end - begin - 1);
}

}  // namespace

class Smarthost::Session final : public EndpointEvents {
 public:
  Session(Smarthost& host, EndpointPointer end)
      : host_(host), end_(std::move(end)), extensions_(host.random_.below(16)) {}
  void begin();

 private:
  enum class Stage : std::uint8_t { banner, hello, mail, rcpt, data, content };
  enum class Place : std::uint8_t { commands, content, chunk };

  void on_connected() override {}
  void on_readable() override;
  void on_writable() override;
  void work();
  void command(const std::string& line);
  void hello(bool extended);
  void rcpt(const std::string& line);
  void bdat(const std::string& line);
  void chunk();
  void content_complete();
  void clear();
  bool misbehaves(Stage);
  void refuse(Stage, bool for_good);
  void reply(std::string text);
  void reply_last(std::string text);
  void say(std::string text);
  void drop();
  [[nodiscard]] bool drawn(unsigned chance) { return chance > 0 && host_.random_.chance(chance, kMillion); }

  Smarthost& host_;
  EndpointPointer end_;
  std::uint64_t extensions_;  // bits: PIPELINING, CHUNKING, 8BITMIME, ESMTP refused
  Lines lines_;
  std::string outbox_;
  std::uint64_t queued_ = 0;  // octets ever put into outbox_
  Place place_ = Place::commands;
  bool busy_ = false;  // a slow reply is on its way
  bool hangs_ = false;
  bool over_ = false;
  std::string reverse_path_;
  bool has_sender_ = false;
  std::vector<std::string> recipients_;
  std::string content_;
  std::size_t chunk_left_ = 0;
  bool last_chunk_ = false;
};

void Smarthost::Session::begin() {
  end_->attach(this);
  if (misbehaves(Stage::banner)) return;
  reply("220 peer.test ESMTP");
}

void Smarthost::Session::on_readable() {
  lines_.add(end_->readable());
  end_->consume(end_->readable().size());
  if (end_->error() != 0 || end_->at_end()) {
    if (!hangs_) work();  // what came before the end counts
    if (!over_) drop();
    return;
  }
  work();
}

void Smarthost::Session::on_writable() { outbox_.erase(0, end_->write(outbox_)); }

void Smarthost::Session::work() {
  while (!busy_ && !hangs_ && !over_) {
    if (place_ == Place::content) {
      auto content = lines_.content();
      if (!content) return;
      content_ = std::move(*content);
      content_complete();
    } else if (place_ == Place::chunk) {
      if (lines_.empty() && chunk_left_ > 0) return;
      chunk();
    } else {
      const auto line = lines_.next();
      if (!line) return;
      command(*line);
    }
  }
}

// ---- commands

void Smarthost::Session::command(const std::string& line) {
  const View verb = View(line).substr(0, 4);
  if (equal_ignoring_case(verb, "EHLO")) return hello(true);
  if (equal_ignoring_case(verb, "HELO")) return hello(false);
  if (equal_ignoring_case(verb, "MAIL")) {
    reverse_path_ = path_of(line);
    if (misbehaves(Stage::mail)) return;
    has_sender_ = true;
    return reply("250 2.1.0 sender ok");
  }
  if (equal_ignoring_case(verb, "RCPT")) return rcpt(line);
  if (equal_ignoring_case(verb, "DATA")) {
    if (recipients_.empty()) return reply("554 5.5.1 no valid recipients");
    if (misbehaves(Stage::data)) return;
    place_ = Place::content;
    return reply("354 go ahead");
  }
  if (equal_ignoring_case(verb, "BDAT")) return bdat(line);
  if (equal_ignoring_case(verb, "RSET")) {
    clear();
    return reply("250 2.0.0 ok");
  }
  if (equal_ignoring_case(verb, "NOOP")) return reply("250 2.0.0 ok");
  if (equal_ignoring_case(verb, "QUIT")) return reply_last("221 2.0.0 bye");
  host_.world_.violation("the relay said to a peer: " + line.substr(0, 80));
}

void Smarthost::Session::hello(bool extended) {
  clear();
  if (extended && (extensions_ & 8) != 0 && host_.random_.chance(1, 4)) return reply("502 5.5.1 not here");
  if (misbehaves(Stage::hello)) return;
  if (!extended) return reply("250 peer.test");
  std::string text = "250-peer.test\r\n";
  if ((extensions_ & 1) == 0) text += "250-PIPELINING\r\n";
  if ((extensions_ & 2) != 0) text += "250-CHUNKING\r\n";
  if ((extensions_ & 4) == 0) text += "250-8BITMIME\r\n";
  reply(text + "250 SIZE 100000000");
}

void Smarthost::Session::rcpt(const std::string& line) {
  if (!has_sender_) return reply("503 5.5.1 MAIL first");
  recipients_.push_back(path_of(line));
  if (misbehaves(Stage::rcpt)) return;
  reply("250 2.1.5 recipient ok");
}

void Smarthost::Session::bdat(const std::string& line) {
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(line.data() + 5, line.data() + line.size(), size);
  if (line.size() < 6 || error != std::errc{}) return host_.world_.violation("the relay said to a peer: " + line);
  chunk_left_ = size;
  last_chunk_ = View(end, static_cast<std::size_t>(line.data() + line.size() - end)) == " LAST";
  place_ = Place::chunk;
}

void Smarthost::Session::chunk() {
  const std::string octets = lines_.take(chunk_left_);
  content_ += octets;
  chunk_left_ -= octets.size();
  if (chunk_left_ > 0) return;
  place_ = Place::commands;
  if (recipients_.empty()) {
    content_.clear();
    return reply("503 5.5.1 no valid recipients");
  }
  if (last_chunk_) return content_complete();
  reply("250 2.0.0 " + std::to_string(content_.size()) + " octets");
}

void Smarthost::Session::content_complete() {
  place_ = Place::commands;
  if (misbehaves(Stage::content)) return;
  if (drawn(host_.mood_.lose_reply)) {
    host_.tell("takes, and does not say so", reverse_path_, recipients_);
    host_.ledger_.took(reverse_path_, recipients_, content_, {});
    return drop();
  }
  const std::string text = "250 2.0.0 taken\r\n";
  host_.tell("takes", reverse_path_, recipients_);
  host_.ledger_.took(reverse_path_, recipients_, content_, {end_, queued_ + text.size()});
  clear();
  say(text);
}

void Smarthost::Session::clear() {
  has_sender_ = false;
  reverse_path_.clear();
  recipients_.clear();
  content_.clear();
}

// ---- moods

bool Smarthost::Session::misbehaves(Stage stage) {
  const Mood& mood = host_.mood_;
  if (drawn(mood.drop)) return drop(), true;
  if (drawn(mood.hang)) return hangs_ = true;
  if (drawn(mood.leave)) return reply_last("421 4.3.2 closing"), true;
  if (drawn(mood.nonsense)) return reply_last("what? " + std::string(host_.random_.below(600), '#')), true;
  if (drawn(mood.defer)) return refuse(stage, false), true;
  if (stage >= Stage::mail && drawn(mood.refuse)) return refuse(stage, true), true;
  return false;
}

void Smarthost::Session::refuse(Stage stage, bool for_good) {
  if (for_good) {
    // At RCPT it is about the last one alone, at MAIL about all that would have come.
    std::vector<std::string> about = recipients_;
    if (stage == Stage::rcpt) about = {recipients_.back()};
    host_.tell("refuses", reverse_path_, about);
    host_.ledger_.peer_refused(reverse_path_, about);
  }
  const std::string text = for_good ? "550 5.7.1 not wanted" : "451 4.3.0 not now";
  if (stage == Stage::banner) return reply_last("421 4.3.2 not now");
  if (stage == Stage::rcpt)
    recipients_.pop_back();
  else if (stage != Stage::hello)
    clear();
  reply(text);
}

// ---- replies

void Smarthost::Session::reply(std::string text) { say(std::move(text) + "\r\n"); }

void Smarthost::Session::reply_last(std::string text) {
  reply(std::move(text));
  hangs_ = true;  // nothing more is heard
  const auto later = Duration{1s};
  host_.world_.schedule().after(later, [this] {
    if (!over_) drop();
  });
}

void Smarthost::Session::say(std::string text) {
  queued_ += text.size();
  if (!drawn(host_.mood_.slow)) {
    outbox_ += text;
    return on_writable();
  }
  busy_ = true;
  const auto most = static_cast<std::uint64_t>(host_.mood_.slow_most.count());
  host_.world_.schedule().after(Duration{static_cast<std::int64_t>(host_.random_.below(most))},
                                [this, text = std::move(text)] {
                                  if (over_) return;
                                  busy_ = false;
                                  outbox_ += text;
                                  on_writable();
                                  work();
                                });
}

void Smarthost::Session::drop() {
  over_ = true;
  if (host_.random_.chance(1, 2))
    end_->close();
  else
    end_->reset();
}

// ---- the listener

Smarthost::Smarthost(World& world, Ledger& ledger, const SocketAddress& address, std::uint64_t seed)
    : world_(world), ledger_(ledger), address_(address), random_(seed) {
  listen(true);
}

Smarthost::~Smarthost() = default;

void Smarthost::listen(bool on) {
  if (on == (listener_ != nullptr)) return;
  if (on) {
    listener_ = *world_.network().listen(address_, *this, 100, false);
  } else {
    world_.network().close(*listener_);
    listener_.reset();
  }
}

void Smarthost::tell(const char* what, const std::string& from, const std::vector<std::string>& to) {
  std::string text = "peer " + address_.text() + " " + what + " " + from + " for";
  for (const std::string& each : to) text += " " + each;
  world_.trace().note(world_.now(), std::move(text));
}

// Sessions stay to the end of the run: replies on their way name them.
void Smarthost::on_connection() {
  while (listener_->waiting()) {
    sessions_.emplace_back(*this, listener_->take());
    sessions_.back().begin();
  }
}

}  // namespace ringpost::sim
