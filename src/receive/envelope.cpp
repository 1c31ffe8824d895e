// MAIL and RCPT: the envelope of a transaction is opened and filled, each step asked of policy and host first.
#include "ringpost/base/check.h"
#include "ringpost/policy.h"
#include "session_parts.h"

namespace ringpost::receive {
namespace {

// Whether something stands behind the path. A client that said HELO was offered no extension (RFC 5321 4.1.1.1).
bool has_parameters(View argument, const smtp::Address& path) {
  const std::size_t end = path.null() ? argument.find('>')
                                      : static_cast<std::size_t>(path.text.data() + path.text.size() - argument.data());
  return end < argument.size() && argument.substr(end).find_first_not_of("> \t") != View::npos;
}

constexpr smtp::Refusal kNoExtensions{555, {5, 5, 4}, "Parameters need EHLO"};

}  // namespace

void Session::Parts::mail(View argument) {
  if (phase_ == Phase::greeted) return wrong_order("Say EHLO first");
  if (transaction_ != nullptr) return wrong_order("A transaction is open");
  const auto parsed = smtp::parse_mail(argument);
  if (!parsed) return refuse(parsed.error());
  if (!extended_ && has_parameters(argument, parsed->from)) return refuse(kNoExtensions);
  const policy::Verdict verdict = policy::may_send(parsed->size, config_);
  if (!verdict.accepted()) return refuse(verdict.code, verdict.enhanced, verdict.text);
  open_transaction(*parsed);
}

void Session::Parts::open_transaction(const smtp::MailCommand& command) {
  Refused why;
  message::Draft* draft = host_.begin(why);
  if (draft == nullptr) return refuse(why.code, why.enhanced, why.text);
  transaction_ = pools_.parts_->transactions.acquire(host_, *draft);
  CHECK(transaction_ != nullptr);  // there is one for each session
  transaction_->set_sender(command, helo_, extended_, client_);
  phase_ = Phase::sender;
  ++pools_.statistics.transactions;
  say("250 2.1.0 Ok\r\n");
}

void Session::Parts::rcpt(View argument) {
  if (phase_ == Phase::between) return wrong_order("The content has begun");
  if (transaction_ == nullptr) return wrong_order("MAIL comes first");
  const auto parsed = smtp::parse_rcpt(argument, transaction_->smtputf8());
  if (!parsed) return refuse(parsed.error(), argument);
  if (!extended_ && has_parameters(argument, parsed->to)) return refuse(kNoExtensions, parsed->to.text);
  add_recipient(*parsed);
}

void Session::Parts::add_recipient(const smtp::RcptCommand& command) {
  const policy::Recipient asked{.domain = command.to.domain, .taken = transaction_->recipients(), .relay = may_relay_};
  const policy::Verdict verdict = policy::may_write_to(asked, config_);
  if (!verdict.accepted()) {
    // RFC 5321 4.5.3.1.10: who has more recipients than we take sends the rest in another transaction, and has done
    // nothing wrong; only a client that goes on as if it were not told is.
    const bool over = verdict.code == 452 && transaction_->one_over_limit() <= config_.limits.recipients;
    if (over) return decline(verdict.code, verdict.enhanced, verdict.text, command.to.text);
    return refuse(verdict.code, verdict.enhanced, verdict.text, command.to.text);
  }
  transaction_->add_recipient(command);
  phase_ = Phase::recipients;
  say("250 2.1.5 Ok\r\n");
}

}  // namespace ringpost::receive
