// The rules by which a simulated run is judged.
#include "ledger.h"

#include <algorithm>
#include <charconv>

namespace ringpost::sim {
namespace {

// The number behind `letter` at the start of `text`, which is cut behind it.
std::optional<std::size_t> take_number(View& text, char letter) {
  if (text.empty() || text[0] != letter) return std::nullopt;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string name_of(const MessageRecord& message) { return "message " + message.reverse_path; }

// What stands behind `name` to the end of its line.
View value_of(View text, View name) {
  const std::size_t at = text.find(name);
  if (at == View::npos) return {};
  const View value = text.substr(at + name.size());
  return value.substr(0, value.find("\r\n"));
}

// RFC 5322 2.2.3: the octets of the first header field, with its folded lines.
std::size_t first_field(View content) {
  std::size_t at = 0;
  while (true) {
    at = content.find("\r\n", at);
    if (at == View::npos) return content.size();
    at += 2;
    if (at >= content.size() || (content[at] != ' ' && content[at] != '\t')) return at;
  }
}

}  // namespace

MessageRecord& Ledger::add(MessageRecord message) {
  messages_.push_back(std::move(message));
  return messages_.back();
}

MessageRecord* Ledger::find(View reverse_path) {
  const auto key = take_number(reverse_path, 'k');
  return key && *key < messages_.size() ? &messages_[*key] : nullptr;
}

Ledger::Found Ledger::find_recipient(View forward_path) {
  const auto key = take_number(forward_path, 'k');
  if (!key || *key >= messages_.size() || forward_path.empty()) return {};
  forward_path.remove_prefix(1);
  const auto place = take_number(forward_path, 'r');
  MessageRecord& message = messages_[*key];
  if (!place || *place >= message.recipients.size()) return {};
  return {&message, *place};
}

// ---- what clients say

void Ledger::offered(MessageRecord& message, const std::vector<std::size_t>& recipients) {
  for (const std::size_t place : recipients) ++message.recipients[place].offers;
}

void Ledger::refused(MessageRecord& message, const std::vector<std::size_t>& recipients) {
  for (const std::size_t place : recipients) ++message.recipients[place].refused_offers;
}

void Ledger::refused_for_good(MessageRecord& message, int code) {
  message.settled = true;
  violation_(name_of(message) + " was refused for good with " + std::to_string(code));
}

void Ledger::acknowledged(MessageRecord& message, const std::vector<std::size_t>& recipients, std::string reply) {
  for (const std::size_t place : recipients) ++message.recipients[place].acknowledgements;
  message.acknowledgements.push_back(std::move(reply));
}

// ---- what peers say

void Ledger::took(View reverse_path, const std::vector<std::string>& forward_paths, View content,
                  const Taking& taking) {
  if (reverse_path.empty()) return took_dsn(forward_paths, content);
  MessageRecord* message = find(reverse_path);
  if (message == nullptr) return violation_("I2: a peer got a message of nobody: from " + std::string(reverse_path));
  check_content(*message, content);
  for (const std::string& path : forward_paths) {
    const Found found = find_recipient(path);
    if (found.message != message || message->recipients[found.recipient].path != path) {
      violation_("I4: " + name_of(*message) + " went to " + path);
      continue;
    }
    RecipientRecord& recipient = message->recipients[found.recipient];
    recipient.takings.push_back(taking);
    if (recipient.offers == recipient.refused_offers)
      violation_("I2: " + name_of(*message) + " was delivered to " + path + " but not accepted");
  }
}

void Ledger::took_dsn(const std::vector<std::string>& forward_paths, View content) {
  MessageRecord* message = forward_paths.size() == 1 ? find(forward_paths[0]) : nullptr;
  if (message == nullptr || message->reverse_path != forward_paths[0])
    return violation_("I2: a DSN went to nobody's sender");
  const std::string dsn(value_of(content, "\r\nMessage-ID: "));
  const std::size_t begin = content.find("\r\nContent-Type: message/delivery-status\r\n");
  if (dsn.empty() || begin == View::npos) return violation_("a DSN for " + message->reverse_path + " is none");
  View status = content.substr(begin, content.find("\r\n--", begin) - begin);
  std::size_t at = status.find("\r\nFinal-Recipient: ");
  while (at != View::npos) {
    status.remove_prefix(at);
    at = status.find("\r\nFinal-Recipient: ", 2);
    told(*message, status.substr(0, at), dsn);
  }
  // What was asked to be returned whole is, octet by octet, behind our trace line.
  if (content.contains("Content-Type: message/rfc822") && !content.contains(message->content))
    violation_("I4: a DSN for " + message->reverse_path + " returns other octets");
}

void Ledger::told(MessageRecord& message, View status, const std::string& dsn) {
  const Found found = find_recipient(value_of(status, "\r\nFinal-Recipient: rfc822;"));
  if (found.message != &message)
    return violation_("a DSN for " + message.reverse_path + " tells of another's recipient");
  RecipientRecord& recipient = message.recipients[found.recipient];
  const View action = value_of(status, "\r\nAction: ");
  if (action == "delayed") {
    recipient.told_delayed.insert(dsn);
  } else if (action == "failed") {
    recipient.told_failed.insert(dsn);
    if (!recipient.peer_refused && !may_expire_)
      violation_("I1: " + name_of(message) + " to " + recipient.path + " is told as failed, but no peer refused it");
  } else {
    violation_("a DSN for " + message.reverse_path + " tells of \"" + std::string(action) + "\"");
  }
}

void Ledger::peer_refused(View reverse_path, const std::vector<std::string>& forward_paths) {
  if (reverse_path.empty()) {
    for (MessageRecord& message : messages_)
      if (forward_paths.empty() || message.reverse_path == forward_paths[0]) message.dsn_refused = true;
    return;
  }
  if (forward_paths.empty()) {
    if (MessageRecord* message = find(reverse_path))
      for (RecipientRecord& recipient : message->recipients) recipient.peer_refused = true;
    return;
  }
  for (const std::string& path : forward_paths) {
    const Found found = find_recipient(path);
    if (found.message != nullptr) found.message->recipients[found.recipient].peer_refused = true;
  }
}

void Ledger::check_content(const MessageRecord& message, View content) {
  const std::size_t trace = first_field(content);
  const View field = content.substr(0, trace);
  if (!field.starts_with("Received: ")) return violation_("I4: " + name_of(message) + " came without a trace line");
  const View kept = content.substr(trace);
  if (kept == message.content) return check_id(message, field);
  const auto differ = std::mismatch(kept.begin(), kept.end(), message.content.begin(), message.content.end());
  violation_("I4: " + name_of(message) + " came with " + std::to_string(kept.size()) + " octets instead of " +
             std::to_string(message.content.size()) + ", the first that differs is " +
             std::to_string(differ.first - kept.begin()));
}

// The id in the trace line stood in the 250 of a client, unless some 250 was lost on its way.
void Ledger::check_id(const MessageRecord& message, View trace) {
  unsigned unanswered = 0;
  for (const RecipientRecord& recipient : message.recipients)
    unanswered += recipient.offers - recipient.refused_offers - recipient.acknowledgements;
  if (unanswered > 0 || message.acknowledgements.empty()) return;
  std::size_t at = trace.find(" id ");
  if (at == View::npos) at = trace.find("\tid ");  // behind a fold
  const View id = at == View::npos ? View{} : trace.substr(at + 4, SpoolId::kTextLength);
  for (const std::string& reply : message.acknowledgements)
    if (!id.empty() && reply.find(id) != std::string::npos) return;
  violation_(name_of(message) + " came with an id that no 250 had named: \"" + std::string(id) + "\"");
}

void Ledger::kept(const message::Envelope& envelope, const message::State& state) {
  if (envelope.reverse_path().empty())
    return violation_("I9: a DSN to " + std::string(envelope.recipient(0).forward_path) + " is still queued");
  for (std::size_t i = 0; i < envelope.recipient_count(); ++i) {
    const Found found = find_recipient(envelope.recipient(i).forward_path);
    if (found.message == nullptr || find(envelope.reverse_path()) != found.message) {
      violation_("I2: the spool holds a message of nobody: from " + std::string(envelope.reverse_path()));
      continue;
    }
    RecipientRecord& recipient = found.message->recipients[found.recipient];
    if (state.at(i).status == message::Status::open) ++recipient.open;
    if (state.at(i).status == message::Status::failed) ++recipient.failed;
  }
}

// ---- judgement

// The relay saw the reply, and had the time to keep it.
bool Ledger::counted(const Taking& taking) const {
  const auto seen = taking.end ? taking.end->read_by_other(taking.reply_end) : std::nullopt;
  if (!seen) return false;
  return std::none_of(crashes_.begin(), crashes_.end(),
                      [&](const Crash& crash) { return *seen >= crash.unkept_since && *seen <= crash.when; });
}

bool Ledger::owed(const MessageRecord& message, const RecipientRecord& recipient) {
  if (!message.settled) return true;
  const std::size_t ended = recipient.takings.size() + recipient.told_failed.size();
  return ended < recipient.acknowledgements && !recipient.peer_refused;
}

std::string Ledger::owed(std::size_t at_most) const {
  std::string text;
  for (const MessageRecord& message : messages_) {
    for (const RecipientRecord& recipient : message.recipients) {
      if (!owed(message, recipient)) continue;
      if (at_most-- == 0) return text + " …";
      text += " " + recipient.path + (message.settled ? "" : " (not handed in)");
    }
  }
  return text;
}

void Ledger::judge() {
  for (const MessageRecord& message : messages_)
    for (const RecipientRecord& recipient : message.recipients) judge(message, recipient);
}

void Ledger::judge(const MessageRecord& message, const RecipientRecord& recipient) {
  const std::string who = name_of(message) + " to " + recipient.path;
  const std::size_t told = recipient.told_failed.size();
  const std::size_t ended = recipient.takings.size() + told;
  // A DSN that a peer refuses, or that expires, is the end of what it tells.
  const bool dsn_may_be_lost = message.dsn_refused || may_expire_;
  if (ended + recipient.open < recipient.acknowledgements && !dsn_may_be_lost)
    violation_("I1: " + who + " was acknowledged " + std::to_string(recipient.acknowledgements) + " times, taken " +
               std::to_string(recipient.takings.size()) + ", told as failed " + std::to_string(told) + ", queued " +
               std::to_string(recipient.open));
  if (recipient.failed > 0) violation_("I1: " + who + " has failed, and nobody was told");
  const unsigned accepted = recipient.offers - recipient.refused_offers;  // at most: some may never have arrived
  const auto counted_takings = static_cast<std::size_t>(
      std::count_if(recipient.takings.begin(), recipient.takings.end(), [&](const Taking& t) { return counted(t); }));
  if (counted_takings + told > accepted && told > 0)
    violation_("I1: " + who + " was told as failed " + std::to_string(told) + " times and delivered " +
               std::to_string(counted_takings) + " times for " + std::to_string(accepted) + " acceptances");
  if (recipient.told_delayed.size() > accepted)
    violation_(who + " was told as delayed " + std::to_string(recipient.told_delayed.size()) + " times");
  if (counted_takings > accepted)
    violation_("I3: " + who + " was delivered " + std::to_string(counted_takings) + " times for " +
               std::to_string(accepted) + " acceptances, with each reply seen");
  if (recipient.open > 0) violation_("I9: " + who + " is still queued");
}

Ledger::Totals Ledger::totals() const {
  Totals totals;
  for (const MessageRecord& message : messages_) {
    ++totals.messages;
    totals.acknowledged += message.acknowledgements.empty() ? 0 : 1;
    for (const RecipientRecord& recipient : message.recipients) {
      totals.takings += recipient.takings.size();
      if (!recipient.takings.empty()) totals.repeated += recipient.takings.size() - 1;
      totals.failed += recipient.told_failed.size();
      totals.delayed += recipient.told_delayed.size();
    }
  }
  return totals;
}

}  // namespace ringpost::sim
