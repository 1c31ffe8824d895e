// One mail transaction (transaction.h).
#include "transaction.h"

#include <algorithm>
#include <functional>

#include "ringpost/base/check.h"
#include "ringpost/policy.h"

namespace ringpost::receive {
namespace {

constexpr Denial kNoStorage{452, {4, 3, 1}, "Insufficient system storage"};

// RFC 3848, RFC 6531 4.3.
message::Protocol protocol_of(bool extended, bool smtputf8) {
  if (!extended) return message::Protocol::smtp;
  return smtputf8 ? message::Protocol::utf8smtp : message::Protocol::esmtp;
}

bool same(const message::Recipient& kept, const smtp::RcptCommand& rcpt) {
  return kept.forward_path == rcpt.to.text && kept.notify == rcpt.notify && kept.orcpt == rcpt.orcpt;
}

bool named_before(const message::Envelope& envelope, const smtp::RcptCommand& rcpt) {
  for (std::size_t i = 0; i < envelope.recipient_count(); ++i)
    if (same(envelope.recipient(i), rcpt)) return true;
  return false;
}

}  // namespace

void Transaction::set_sender(const smtp::MailCommand& mail, View helo, bool extended, const SocketAddress& client) {
  smtputf8_ = mail.smtputf8;
  message::Envelope& envelope = draft_->envelope;
  envelope.client = client;
  envelope.protocol = protocol_of(extended, mail.smtputf8);
  envelope.body = mail.body;
  envelope.ret = mail.ret;
  envelope.smtputf8 = mail.smtputf8;
  envelope.set_reverse_path(mail.from.text);
  envelope.set_envid(mail.envid);
  envelope.set_helo(helo);
}

// RFC 5321 leaves it open what becomes of a recipient named twice. It is answered 250 again and kept once: nobody wants
// two copies, and each kept one would be a delivery that has to be accounted for. Other DSN parameters make it another
// wish.
void Transaction::add_recipient(const smtp::RcptCommand& rcpt) {
  ++recipients_;
  const std::size_t place = std::hash<View>{}(rcpt.to.text) % seen_.size();
  if (seen_.test(place) && named_before(draft_->envelope, rcpt)) return;
  seen_.set(place);
  draft_->envelope.add_recipient(rcpt.to.text, rcpt.to.domain.size(), rcpt.notify, rcpt.orcpt);
}

void Transaction::begin_content(Manner manner, void* owner, void (*drained)(void* owner)) {
  manner_ = manner;
  if (draft_ != nullptr) draft_->content->on_drained(owner, drained);
}

std::size_t Transaction::take_data(View input, const config::Config& config) {
  const std::size_t offered = input.size();
  while (!input.empty() && !data_ended_ && !sink_full_) {
    const smtp::BodyScanner::Run run = scanner_.next(input);
    input.remove_prefix(run.consumed);
    data_ended_ = run.ended;
    if (!run.clean.empty()) keep(run.clean, config);
  }
  return offered - input.size();
}

void Transaction::take_chunk(View octets, const config::Config& config) {
  counter_.take(octets);
  keep(octets, config);
}

void Transaction::keep(View octets, const config::Config& config) {
  octets_ += octets.size();
  if (!header_.complete()) header_.feed(octets);
  if (draft_ == nullptr) return;
  if (!contain(octets_, 0, config)) return;
  switch (draft_->content->push(octets)) {
    case message::BodySink::State::ok:
      break;
    case message::BodySink::State::full:
      sink_full_ = true;
      break;
    case message::BodySink::State::failed:
      deny(kNoStorage);
      break;
  }
}

// The hops are judged at the end, so that a message that is a loop and too large gets the same answer however it was
// cut on its way.
void Transaction::complete(const config::Config& config) {
  if (draft_ != nullptr) contain(octets_, header_.received(), config);
}

bool Transaction::contain(std::uint64_t octets, std::uint32_t received, const config::Config& config) {
  const policy::Verdict verdict = policy::may_contain(octets, received, config);
  if (!verdict.accepted()) deny({verdict.code, verdict.enhanced, verdict.text});
  return verdict.accepted();
}

void Transaction::deny(const Denial& why) {
  if (!denial_.given()) denial_ = why;
  sink_full_ = false;
  abandon();
}

void Transaction::abandon() {
  if (draft_ != nullptr) host_.abandon(let_go());
}

// The sink may outlive this transaction and drain later: nobody is to be called then.
message::Draft& Transaction::let_go() {
  message::Draft& draft = *std::exchange(draft_, nullptr);
  draft.content->on_drained(nullptr, [](void*) {});
  return draft;
}

smtp::BodyFacts Transaction::facts() const { return manner_ == Manner::data ? scanner_.facts() : counter_.facts(); }

bool Transaction::bare() const { return facts().bare(); }

void Transaction::commit(Ticket ticket, View hostname) {
  CHECK(draft_ != nullptr && !denial_.given());
  message::Draft& draft = let_go();
  const smtp::BodyFacts found = facts();
  draft.facts = {.size = octets_,
                 .dot_lines = static_cast<std::uint32_t>(std::min<std::uint64_t>(found.dot_lines, UINT32_MAX)),
                 .received = header_.received(),
                 .eight_bit = found.eight_bit,
                 .eight_bit_header = header_.eight_bit(),
                 .ends_with_crlf = found.ends_with_crlf || octets_ == 0};
  draft.envelope.accepted = host_.wall();
  message::write_trace(draft.trace, draft.envelope, draft.id, hostname);
  host_.commit(draft, ticket);
}

}  // namespace ringpost::receive
