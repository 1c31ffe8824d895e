// A dialogue played against a session in memory (stage.h).
#include <charconv>

#include <fmt/format.h>

#include "stage.h"

namespace ringpost::dialog {
namespace {

// "[HDRS,ENVID=x,8BITMIME,SMTPUTF8]", or nothing when the client asked for none of it.
std::string sender_wishes(const message::Envelope& envelope) {
  std::string wishes;
  const auto add = [&](bool asked, const std::string& wish) {
    if (asked) wishes += (wishes.empty() ? "" : ",") + wish;
  };
  add(envelope.ret == smtp::DsnReturn::full, "FULL");
  add(envelope.ret == smtp::DsnReturn::headers, "HDRS");
  add(!envelope.envid().empty(), fmt::format("ENVID={}", envelope.envid()));
  add(envelope.body == smtp::BodyType::eight_bit_mime, "8BITMIME");
  add(envelope.smtputf8, "SMTPUTF8");
  return wishes.empty() ? wishes : "[" + wishes + "]";
}

// "path[notify,orcpt]", the bracket only when the client asked for either.
std::string recipient_text(const message::Recipient& recipient) {
  std::string text{recipient.forward_path};
  if (recipient.notify != 0 || !recipient.orcpt.empty())
    text += fmt::format("[{}{}{}]", recipient.notify, recipient.orcpt.empty() ? "" : ",", recipient.orcpt);
  return text;
}

}  // namespace

MemoryStage::MemoryStage(Cutting cutting, std::uint64_t seed) : cutting_(cutting), random_(seed) {
  config_.hostname = "mx.server.example";
  peer_.client = SocketAddress::v4(127, 0, 0, 1, 40000);
}

MemoryStage::~MemoryStage() = default;

void MemoryStage::start() {
  if (session_) return;
  session_.emplace(config_, peer_, host_, receive::Ticket{7, 3, 0}, pools_);
  collect();
}

void MemoryStage::send(View octets) {
  start();
  while (!octets.empty()) {
    std::size_t piece = octets.size();
    if (cutting_ == Cutting::octets) piece = 1;
    if (cutting_ == Cutting::random) piece = 1 + random_.below(std::min<std::size_t>(piece, 40));
    input_.append(octets.substr(0, piece));
    octets.remove_prefix(piece);
    feed();
  }
}

// As a connection does: what is not consumed is offered again with more behind it.
void MemoryStage::feed() {
  while (!input_.empty() && session_->wants_input()) {
    // A copy of its own, so that a view kept past the call shows under the address sanitizer.
    const std::string offered = input_;
    const std::size_t consumed = session_->feed(offered);
    input_.erase(0, consumed);
    while (!holding_ && !host_.awaited.empty()) answer(0, {});
    collect();
    if (consumed == 0) break;
  }
}

void MemoryStage::collect() {
  while (!session_->output().empty()) {
    const View said = session_->output();
    const std::size_t taken = cutting_ == Cutting::whole ? said.size() : 1 + random_.below(said.size());
    output_.append(said.substr(0, taken));
    session_->sent(taken);
  }
}

std::optional<std::string> MemoryStage::line() {
  start();
  const std::size_t end = output_.find("\r\n");
  if (end == std::string::npos) return std::nullopt;
  std::string line = output_.substr(0, end);
  output_.erase(0, end + 2);
  return line;
}

std::string MemoryStage::rest() { return std::exchange(output_, {}); }

bool MemoryStage::closed() {
  start();
  return session_->ended() && session_->answered();
}

bool MemoryStage::event(View words) {
  const std::size_t blank = words.find(' ');
  const View first = words.substr(0, blank);
  const View second = blank == View::npos ? View{} : words.substr(blank + 1);
  if (!session_ && set(first, second)) return true;
  start();
  if (!happen(first, second)) return false;
  feed();
  collect();
  return true;
}

bool MemoryStage::set(View key, View value) {
  std::uint32_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  if (key == "client")
    peer_.client = SocketAddress::parse(value).value();
  else if (key == "message_size")
    config_.limits.message_size = number;
  else if (key == "recipients")
    config_.limits.recipients = number;
  else if (key == "errors")
    config_.receive.errors = number;
  else if (key == "max_received")
    config_.receive.max_received = number;
  else if (key == "banner")
    config_.receive.banner = value;
  else
    return false;
  return true;
}

bool MemoryStage::happen(View what, View which) {
  std::size_t number = 0;
  std::from_chars(which.data(), which.data() + which.size(), number);
  if (what == "hold")
    holding_ = true;
  else if (what == "keep")
    answer(which == "last" ? host_.awaited.size() - 1 : 0, {});
  else if (what == "lose")
    answer(0, fail(which == "EIO" ? EIO : ENOSPC, "as the script wants it"));
  else if (what == "refuse")
    host_.refuse_begin = true;
  else if (what == "accept")
    host_.refuse_begin = false;
  else if (what == "full")
    host_.full_at = number;
  else if (what == "fail")
    host_.fail_at = number;
  else if (what == "drained")
    host_.open.back()->sink.drain();
  else if (what == "timeout")
    session_->timed_out();
  else if (what == "drain")
    session_->drain();
  else
    return false;
  return true;
}

void MemoryStage::answer(std::size_t index, const Result<void>& result) {
  RINGPOST_CHECK(index < host_.awaited.size());
  const receive::Ticket ticket = host_.awaited[index];
  host_.awaited.erase(host_.awaited.begin() + static_cast<std::ptrdiff_t>(index));
  RINGPOST_CHECK(ticket.slot == 7 && ticket.generation == 3);
  session_->committed(ticket.sequence, result);
}

std::optional<std::string> MemoryStage::kept() {
  if (host_.kept.empty()) return "none";
  const MemoryHost::Kept message = std::move(host_.kept.front());
  host_.kept.pop_front();
  const message::Envelope& envelope = message.draft->envelope;
  RINGPOST_CHECK(message.draft->facts.size == message.draft->sink.content.size());
  RINGPOST_CHECK(message.draft->trace.find(message.draft->id.text()) != std::string::npos);
  std::string text{envelope.reverse_path()};
  text += sender_wishes(envelope) + " ->";
  for (std::size_t i = 0; i < envelope.recipient_count(); ++i) text += " " + recipient_text(envelope.recipient(i));
  return text + ": " + message.draft->sink.content;
}

}  // namespace ringpost::dialog
