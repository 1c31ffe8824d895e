// What a connection of the source says, by dialogue; see client.h. step() is called when no reply is awaited and says
// what comes next.
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "client.h"

namespace ringpost::source {

// ---- which message

bool Client::may_begin() const {
  return options_.messages_per_connection == 0 || taken_on_connection_ < options_.messages_per_connection;
}

Client::Message& Client::free_message() {
  for (const auto& message : messages_)
    if (!message->in_use) return *message;
  messages_.push_back(std::make_unique<Message>());
  return *messages_.back();
}

// The next message, or null when none may be begun now: then the rate's timer calls again, or all is done.
Client::Message* Client::begin_message() {
  if (!may_begin()) return nullptr;
  const Work::Next next = source_.work.take(source_.ring.now());
  if (next.kind == Work::Next::Kind::wait) source_.ring.arm(rate_, next.when);
  if (next.kind != Work::Next::Kind::message) return nullptr;
  ++taken_on_connection_;
  Message& message = free_message();
  message.number = next.number;
  message.begun = source_.ring.now();
  message.recipient_codes.clear();
  message.recipients_taken = 0;
  message.refusal = 0;
  message.in_use = true;
  message.mail_taken = message.go_ahead = false;
  message.by_data = dialogue_ != Dialogue::bdat;
  source_.plan.make(message.number, message.content);
  return &message;
}

// ---- steps

void Client::step() {
  if (phase_ != Phase::talking || next_awaited_ < awaited_.size()) return;
  switch (dialogue_) {
    case Dialogue::lockstep:
      step_lockstep();
      break;
    case Dialogue::pipelined:
    case Dialogue::overlap:
      step_pipelined();
      break;
    case Dialogue::bdat:
      step_bdat();
      break;
  }
  if (awaited_.empty() && !rate_.armed()) say_quit();
  flush();
}

// One command at a time: MAIL, each RCPT, DATA, the content.
void Client::step_lockstep() {
  if (need_reset_ && current_ == nullptr) return say_reset_if_needed();
  if (current_ == nullptr) {
    current_ = begin_message();
    recipients_asked_ = 0;
    if (current_ != nullptr) say_mail(*current_);
    return;
  }
  Message& message = *current_;
  if (message.mail_taken && recipients_asked_ < source_.plan.recipients())
    return say_recipient(message, recipients_asked_++);
  if (message.go_ahead) return say_content(message);
  if (message.refusal == 0) {
    say("DATA\r\n");
    return await(Kind::data, &message);
  }
  conclude(message, nullptr);
  step_lockstep();
}

void Client::step_pipelined() {
  // A message whose envelope was answered, unless it was refused, then the envelope of another.
  while (current_ != nullptr && !current_->go_ahead) conclude(*current_, nullptr);
  if (current_ == nullptr) {
    say_reset_if_needed();
    current_ = begin_message();
    if (current_ != nullptr) say_envelope(*current_);
    return;
  }
  say_content(*current_);
  // A refusal to come leaves nothing to reset behind the content, so the next envelope may follow at once.
  if (dialogue_ == Dialogue::overlap) next_ = begin_message();
  if (next_ != nullptr) return say_envelope(*next_);
  if (!may_begin() || !source_.work.left(source_.ring.now())) say_quit();
}

void Client::step_bdat() {
  say_reset_if_needed();
  for (std::uint32_t i = 0; i < burst_; ++i) {
    Message* const message = begin_message();
    if (message == nullptr) break;
    say_mail(*message);
    for (std::uint32_t k = 0; k < source_.plan.recipients(); ++k) say_recipient(*message, k);
    say_bdat(*message);
  }
  if (!awaited_.empty() && (!may_begin() || !source_.work.left(source_.ring.now()))) say_quit();
}

// ---- words

void Client::text_part(std::size_t size) {
  if (!parts_.empty() && parts_.back().octets == nullptr) {
    parts_.back().size += size;
  } else {
    parts_.push_back({.octets = nullptr, .offset = text_.size(), .size = size});
  }
}

void Client::add_octets(View octets) {
  if (!octets.empty()) parts_.push_back({.octets = octets.data(), .offset = 0, .size = octets.size()});
}

void Client::say_mail(Message& message) {
  say("MAIL FROM:<");
  say(source_.plan.options().from);
  say(">");
  if (offer_.size) {
    const fmt::format_int digits(message.content.size());
    say(" SIZE=");
    say(View(digits.data(), digits.size()));
  }
  if (message.content.eight_bit && offer_.eight_bit_mime) say(" BODY=8BITMIME");
  if (source_.plan.needs_utf8() && offer_.smtputf8) say(" SMTPUTF8");
  say("\r\n");
  await(Kind::mail, &message);
}

void Client::say_recipient(Message& message, std::uint32_t k) {
  const std::size_t before = text_.size();
  text_part(0);
  text_ += "RCPT TO:<";
  source_.plan.append_recipient(message.number, k, text_);
  text_ += ">\r\n";
  parts_.back().size += text_.size() - before;
  await(Kind::rcpt, &message);
}

void Client::say_envelope(Message& message) {
  say_mail(message);
  for (std::uint32_t k = 0; k < source_.plan.recipients(); ++k) say_recipient(message, k);
  say("DATA\r\n");
  await(Kind::data, &message);
}

// RFC 2920 3.1: a 354 must be answered by content even if no recipient was taken; the end alone will do.
void Client::say_content(Message& message) {
  if (message.recipients_taken > 0) {
    say(message.content.head);
    add_octets(message.content.data);
    if (!message.content.data_end.empty()) say(message.content.data_end);
  } else {
    say(".\r\n");
  }
  await(Kind::content, &message);
}

void Client::say_bdat(Message& message) {
  const fmt::format_int digits(message.content.size());
  say("BDAT ");
  say(View(digits.data(), digits.size()));
  say(" LAST\r\n");
  say(message.content.head);
  add_octets(message.content.octets);
  await(Kind::content, &message);
}

void Client::say_reset_if_needed() {
  if (!need_reset_) return;
  need_reset_ = false;
  say("RSET\r\n");
  await(Kind::reset);
}

void Client::say_quit() {
  if (std::exchange(quit_said_, true)) return;
  say("QUIT\r\n");
  await(Kind::quit);
}

void Client::flush() {
  if (parts_.empty() || phase_ != Phase::talking) return;
  if (send_.in_kernel()) {  // a reply overtook the completion of what it answers
    flush_waits_ = true;
    return;
  }
  sending_.swap(text_);
  text_.clear();
  std::array<iovec, ring::kSendPieces> pieces{};
  RINGPOST_CHECK(parts_.size() <= pieces.size());
  std::size_t count = 0;
  for (const Part& part : parts_) {
    const char* const octets = part.octets != nullptr ? part.octets : sending_.data() + part.offset;
    pieces[count++] = {const_cast<char*>(octets), part.size};
  }
  parts_.clear();
  source_.ring.send(send_, socket_, std::span(pieces).first(count));
}

}  // namespace ringpost::source
