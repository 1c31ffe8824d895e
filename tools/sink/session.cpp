// The sink's SMTP session; see session.h.
#include "session.h"

#include <fmt/format.h>

#include <algorithm>

namespace ringpost::sink {
namespace {

constexpr View kNonsense = "\x01\xff not smtp at all \r\n{\"status\": \"lost\"}\r\n";
constexpr std::uint64_t kDefaultSizeLimit = 100ULL << 20;  // octets, for a bare SIZE in the offer

bool is_keyword(View line, View keyword) {
  return line.size() >= keyword.size() && equal_ignoring_case(line.substr(0, keyword.size()), keyword) &&
         (line.size() == keyword.size() || line[keyword.size()] == ' ');
}

}  // namespace

void offer(Shared& shared, const std::vector<std::string>& extensions) {
  std::vector<std::string> lines{shared.hostname};
  shared.chunking = shared.pipelining = false;
  for (std::string line : extensions) {
    if (line.empty()) continue;
    shared.chunking = shared.chunking || is_keyword(line, "CHUNKING");
    shared.pipelining = shared.pipelining || is_keyword(line, "PIPELINING");
    if (is_keyword(line, "SIZE")) {
      if (line.size() == 4) line += fmt::format(" {}", kDefaultSizeLimit);
      shared.size_limit = std::strtoull(line.c_str() + 5, nullptr, 10);
    }
    lines.push_back(std::move(line));
  }
  shared.ehlo_reply.clear();
  for (std::size_t i = 0; i < lines.size(); ++i)
    shared.ehlo_reply += fmt::format("250{}{}\r\n", i + 1 < lines.size() ? '-' : ' ', lines[i]);
}

// ---- decisions

void Session::at(Stage stage, Step step, View recipient) {
  stage_ = stage;
  step_ = step;
  decision_ = shared_.behaviour.decide(stage, shared_.random, recipient);
  waits_ = decision_.delay;
  if (waits_ == Duration{0}) act();
}

void Session::resume() {
  waits_ = Duration{0};
  act();
}

void Session::act() {
  if (decision_.deed == Deed::obey) return (this->*step_)();
  ++shared_.counts.deeds[static_cast<std::size_t>(stage_)][static_cast<std::size_t>(decision_.deed)];
  switch (decision_.deed) {
    case Deed::reject:
    case Deed::defer:
      return refuse(decision_.code);
    case Deed::drop:
      phase_ = Phase::over;
      return;
    case Deed::nonsense:
      reply(kNonsense);
      return after_refusal();
    case Deed::hang:
      phase_ = Phase::hung;
      return;
    case Deed::obey:
      return;
  }
}

void Session::refuse(std::uint16_t code) {
  fmt::format_to(std::back_inserter(output_), "{} {}.7.1 as you wish: {} at {}\r\n", code, code / 100,
                 code < 500 ? "later" : "never", stage_name(stage_));
  if (code == 421) {  // RFC 5321 3.8: and the channel closes
    phase_ = Phase::over;
    return;
  }
  after_refusal();
}

void Session::after_refusal() {
  if (stage_ == Stage::connect) closed_to_mail_ = true;
  if (stage_ == Stage::quit) phase_ = Phase::over;
  if (stage_ == Stage::dot) reset();
}

void Session::reply_error(const smtp::Refusal& refusal) {
  ++shared_.counts.errors;
  std::array<char, smtp::kWrittenReplyLine + 2> room{};
  output_.append(room.data(), smtp::write_reply(room, refusal.code, refusal.enhanced, refusal.text));
}

// ---- input

void Session::greet() { at(Stage::connect, &Session::step_greeting); }

std::size_t Session::feed(View input) {
  std::size_t total = 0;
  while (total < input.size() && waits_ == Duration{0}) {
    const View rest = input.substr(total);
    std::size_t taken = 0;
    switch (phase_) {
      case Phase::command:
        taken = feed_line(rest);
        break;
      case Phase::data:
        taken = feed_data(rest);
        break;
      case Phase::chunk:
        taken = feed_chunk(rest);
        break;
      case Phase::hung:
      case Phase::over:
        return input.size();
    }
    if (taken == 0) break;
    total += taken;
    if (phase_ == Phase::command && !shared_.pipelining && total < input.size()) ++shared_.counts.unoffered_pipelining;
  }
  return total;
}

std::size_t Session::feed_line(View input) {
  const smtp::Line line = lines_.next(input);
  switch (line.kind) {
    case smtp::LineKind::incomplete:
      break;
    case smtp::LineKind::complete:
      command(line.text);
      break;
    case smtp::LineKind::bare_cr:
    case smtp::LineKind::bare_lf:
      reply_error({500, {5, 5, 2}, "a line ends in CR LF"});
      break;
    case smtp::LineKind::too_long:
      reply_error({500, {5, 5, 2}, "line too long"});
      break;
  }
  return line.consumed;
}

std::size_t Session::feed_data(View input) {
  if (!body_begins()) return 0;
  const smtp::BodyScanner::Run run = body_.next(input);
  content(run.clean);
  if (run.ended) {
    phase_ = Phase::command;
    message_done();
  }
  return run.consumed;
}

std::size_t Session::feed_chunk(View input) {
  if (!discard_chunk_ && !body_begins()) return 0;
  const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
  if (!discard_chunk_) {
    const View octets = input.substr(0, part);
    counter_.take(octets);
    content(octets);
  }
  chunk_left_ -= part;
  if (chunk_left_ == 0) chunk_done();
  return part;
}

// ---- commands

void Session::command(View line) {
  const smtp::Command command = smtp::split_command(line);
  if (closed_to_mail_ && command.verb != smtp::Verb::quit) return reply_error({503, {5, 5, 1}, "only QUIT is taken"});
  switch (command.verb) {
    case smtp::Verb::mail:
      return mail(command.argument);
    case smtp::Verb::rcpt:
      return rcpt(command.argument);
    case smtp::Verb::data:
      return data();
    case smtp::Verb::bdat:
      return bdat(command.argument);
    case smtp::Verb::ehlo:
    case smtp::Verb::helo:
      return ehlo(command);
    case smtp::Verb::rset:
      reset();
      return reply("250 2.0.0 Ok\r\n");
    case smtp::Verb::noop:
      return reply("250 2.0.0 Ok\r\n");
    case smtp::Verb::vrfy:
      return reply("252 2.0.0 Perhaps\r\n");
    case smtp::Verb::help:
      return reply("214 2.0.0 I take mail and forget it\r\n");
    case smtp::Verb::quit:
      return at(Stage::quit, &Session::step_quit);
    default:
      return reply_error({502, {5, 5, 1}, "not here"});
  }
}

void Session::ehlo(const smtp::Command& command) {
  if (const auto hello = smtp::parse_hello(command.argument); !hello) return reply_error(hello.error());
  reset();
  if (command.verb == smtp::Verb::ehlo) return at(Stage::ehlo, &Session::step_ehlo);
  step_helo();
}

void Session::mail(View argument) {
  if (in_transaction_) return reply_error({503, {5, 5, 1}, "a transaction is open"});
  const auto parsed = smtp::parse_mail(argument);
  if (!parsed) return reply_error(parsed.error());
  if (shared_.size_limit > 0 && parsed->size.value_or(0) > shared_.size_limit)
    return reply_error({552, {5, 3, 4}, "too large"});
  if (shared_.ledger.on()) record_.begin(parsed->from.text);
  at(Stage::mail, &Session::step_mail);
}

void Session::rcpt(View argument) {
  if (!in_transaction_) return reply_error({503, {5, 5, 1}, "MAIL first"});
  const auto parsed = smtp::parse_rcpt(argument, true);
  if (!parsed) return reply_error(parsed.error());
  if (shared_.ledger.on()) recipient_ = parsed->to.text;
  at(Stage::rcpt, &Session::step_rcpt, parsed->to.text);
}

void Session::data() {
  if (recipients_ == 0)
    return reply_error({in_transaction_ ? std::uint16_t{554} : std::uint16_t{503}, {5, 5, 1}, "no recipient"});
  if (bdat_) return reply_error({503, {5, 5, 1}, "BDAT has begun"});
  at(Stage::data, &Session::step_data);
}

void Session::bdat(View argument) {
  if (!shared_.chunking) return reply_error({502, {5, 5, 1}, "CHUNKING was not offered"});
  const auto parsed = smtp::parse_bdat(argument);
  if (!parsed) {
    reply_error(parsed.error());
    phase_ = Phase::over;  // where the next command begins is unknown
    return;
  }
  chunk_left_ = parsed->size;
  last_chunk_ = parsed->last;
  discard_chunk_ = recipients_ == 0;
  if (!bdat_) {
    bdat_ = true;
    counter_.reset();
  }
  phase_ = Phase::chunk;
  if (chunk_left_ == 0) chunk_done();
}

// ---- messages

// False: a rule wants otherwise, or wants to wait first.
bool Session::body_begins() {
  if (body_begun_) return true;
  body_begun_ = true;
  at(Stage::body, &Session::step_body);
  return waits_ == Duration{0} && (phase_ == Phase::data || phase_ == Phase::chunk);
}

void Session::content(View octets) {
  message_octets_ += octets.size();
  if (shared_.ledger.on()) record_.content(octets);
}

void Session::chunk_done() {
  phase_ = Phase::command;
  if (discard_chunk_) {
    bdat_ = false;
    return reply_error({in_transaction_ ? std::uint16_t{554} : std::uint16_t{503}, {5, 5, 1}, "no recipient"});
  }
  if (last_chunk_) return message_done();
  fmt::format_to(std::back_inserter(output_), "250 2.0.0 {} octets so far\r\n", message_octets_);
}

void Session::message_done() {
  if (shared_.size_limit > 0 && message_octets_ > shared_.size_limit) {
    reset();
    return reply_error({552, {5, 3, 4}, "too large"});
  }
  at(Stage::dot, &Session::step_message);
}

void Session::reset() {
  in_transaction_ = false;
  body_begun_ = false;
  bdat_ = false;
  recipients_ = 0;
  message_octets_ = 0;
}

// ---- what happens when no rule is against it

void Session::step_greeting() {
  fmt::format_to(std::back_inserter(output_), "220 {} ESMTP sink\r\n", shared_.hostname);
}

void Session::step_ehlo() { reply(shared_.ehlo_reply); }

void Session::step_helo() { fmt::format_to(std::back_inserter(output_), "250 {}\r\n", shared_.hostname); }

void Session::step_mail() {
  in_transaction_ = true;
  reply("250 2.1.0 Ok\r\n");
}

void Session::step_rcpt() {
  ++recipients_;
  if (shared_.ledger.on()) record_.recipient(recipient_);
  reply("250 2.1.5 Ok\r\n");
}

void Session::step_data() {
  phase_ = Phase::data;
  body_.reset();
  reply("354 End with .\r\n");
}

void Session::step_message() {
  Counts& counts = shared_.counts;
  ++counts.messages;
  counts.recipients += recipients_;
  counts.octets += message_octets_;
  counts.bdat_messages += bdat_ ? 1 : 0;
  if (shared_.ledger.on()) record_.write(shared_.ledger, shared_.wall, bdat_ ? counter_.facts() : body_.facts(), bdat_);
  reset();
  reply("250 2.0.0 Ok: taken\r\n");
}

void Session::step_quit() {
  reply("221 2.0.0 Bye\r\n");
  phase_ = Phase::over;
}

}  // namespace ringpost::sink
