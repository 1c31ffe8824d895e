#include "core/showing.h"

#include <algorithm>

#include "core/lines.h"

namespace ringpost::core {
namespace {

constexpr std::size_t kPiece = 32 * 1024;  // octets of content in one line of the answer, about
constexpr std::size_t kPieces = 8;         // lines of one page
constexpr View kHeaderEnd = "\r\n\r\n";

}  // namespace

Showing::Showing(Workshop& shop, Query& query)
    : Work(shop, query),
      walk_(shop.rooms,
            query.request.content || query.request.headers ? spool::Spool::Want::content : spool::Spool::Want::envelope,
            *this),
      turn_(this, ring::call<&Showing::read>) {}

Showing::~Showing() {
  if (message_ == nullptr) return;
  reader_.close();
  message_->release();
}

void Showing::go() {
  if (stopped()) return finish();
  if (message_ != nullptr) return shop_.rooms.ring.defer(turn_);
  walk_.start({*query_.filter.id});
}

Walk::Then Showing::visit(spool::Message& message) {
  add(envelope_line(message));
  std::string scratch;
  for (std::uint32_t i = 0; i < message.state.size(); ++i)
    add(recipient_line(
        message, i,
        destination_name(message.envelope.recipient(i), message.state.at(i), *shop_.rooms.router, scratch)));
  if (!query_.request.content && !query_.request.headers) return Walk::Then::on;
  message.hold();
  message_ = &message;
  reader_.open(message);
  reader_.on_ready(this, [](void* self) { static_cast<Showing*>(self)->read_again(); });
  return Walk::Then::on;
}

Walk::Then Showing::visit_damaged(SpoolId id) {
  add(damaged_line(id));
  return Walk::Then::on;
}

void Showing::walked() {
  if (message_ == nullptr) return finish();
  shop_.rooms.ring.defer(turn_);
}

// Until a page is full or the disk is waited for.
void Showing::read() {
  using State = message::BodySource::Pull::State;
  if (stopped()) return finish();
  for (std::size_t lines = 0; lines < kPieces;) {
    const auto pull = reader_.next();
    if (pull.state == State::wait) return;
    if (pull.state == State::ready) {
      const std::size_t before = part().lines.size();
      const bool enough = take(pull.piece);
      reader_.release(pull.piece.size());
      lines += part().lines.size() - before;
      if (!enough) continue;
    }
    if (pull.state == State::failed) part().trouble = "the content cannot be read from the disk";
    if (!pending_.empty()) add(content_line(pending_));
    return finish();
  }
  page();
}

// Cut behind line ends where there are some, so that no character is torn. True: that was all that is wanted.
bool Showing::take(View piece) {
  pending_.append(piece);
  if (query_.request.headers && !query_.request.content) {
    if (pending_.starts_with("\r\n")) return pending_.clear(), true;
    if (const std::size_t end = pending_.find(kHeaderEnd); end != std::string::npos)
      return pending_.resize(end + 2), true;
  }
  while (pending_.size() > kPiece) {
    const std::size_t line_end = pending_.rfind('\n', kPiece - 1);
    const std::size_t cut = line_end == std::string::npos ? kPiece : line_end + 1;
    add(content_line(View{pending_}.substr(0, cut)));
    pending_.erase(0, cut);
  }
  return false;
}

}  // namespace ringpost::core
