#include "core/filter.h"

#include <algorithm>
#include <array>

#include "core/facts.h"
#include "ringpost/config.h"

namespace ringpost::core {
namespace {

using message::Status;

constexpr std::array<View, 4> kStandings{"queued", "held", "failed", "damaged"};
constexpr std::uint64_t kLargestCode = 599;

std::string lower(View text) {
  std::string folded(text);
  std::ranges::transform(folded, folded.begin(), ascii_lower);
  return folded;
}

AddressWanted wanted(View text) {
  AddressWanted address;
  if (text.empty()) return address;
  address.given = true;
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  address.any_user = text.starts_with('@');
  if (address.any_user) text.remove_prefix(1);
  address.text = lower(text);
  address.domain = address.any_user ? address.text : std::string{domain_of(address.text)};
  return address;
}

// now minus a duration, or nothing when the text is empty.
Result<std::optional<WallTime>> ago(View key, View text, WallTime now) {
  if (text.empty()) return std::nullopt;
  const auto duration = config::parse_duration(text);
  if (!duration) return fail(std::string{key} + ": " + duration.error().text + ": a duration like 90s, 15m, 2h or 5d");
  return now - *duration;
}

Result<void> take_words(Filter& filter, const control::Request& request) {
  if (!request.id.empty()) {
    filter.id = SpoolId::parse(request.id);
    if (!filter.id) return fail("'" + request.id + "' is no spool id: 13 letters and digits, as in the 250");
  }
  if (!request.state.empty()) {
    const auto found = std::ranges::find(kStandings, View{request.state});
    if (found == kStandings.end()) return fail("'" + request.state + "' is no state: queued, held, failed, damaged");
    filter.standing = static_cast<Standing>(found - kStandings.begin());
  }
  if (request.code > kLargestCode) return fail("code: a reply code has three digits, like 451");
  filter.code = static_cast<std::uint16_t>(request.code);
  filter.destination = request.destination;
  filter.from = wanted(request.from);
  filter.to = wanted(request.to);
  filter.error = lower(request.error);
  return {};
}

}  // namespace

View word_of(Standing standing) { return kStandings[static_cast<std::size_t>(standing)]; }

Standing standing_of(const message::State& state) {
  if (state.count(Status::open) > 0) return Standing::queued;
  return state.count(Status::held) > 0 ? Standing::held : Standing::failed;
}

bool AddressWanted::fits(View address, View its_domain) const {
  if (!given) return true;
  return any_user ? equal_ignoring_case(its_domain, text) : equal_ignoring_case(address, text);
}

Result<Filter> Filter::of(const control::Request& request, WallTime now) {
  Filter filter;
  if (auto words = take_words(filter, request); !words) return std::unexpected(words.error());
  const auto until = ago("older", request.older, now);
  if (!until) return std::unexpected(until.error());
  const auto since = ago("newer", request.newer, now);
  if (!since) return std::unexpected(since.error());
  filter.accepted_until = *until;
  filter.accepted_since = *since;
  const auto say = [&filter](View key, View value) {
    if (value.empty()) return;
    filter.text.append(filter.text.empty() ? "" : " ").append(key).append("=").append(value);
  };
  say("id", request.id);
  say("destination", request.destination);
  say("from", request.from);
  say("to", request.to);
  say("older", request.older);
  say("newer", request.newer);
  say("error", request.error);
  say("code", request.code == 0 ? "" : std::to_string(request.code));
  say("state", request.state);
  if (filter.text.empty()) filter.text = "all";
  return filter;
}

bool Filter::empty() const { return text == "all"; }

bool Filter::about_recipients() const { return !destination.empty() || to.given || !error.empty() || code != 0; }

bool Filter::error_fits(View last, std::uint16_t reply_code) const {
  if (code != 0 && code != reply_code) return false;
  return error.empty() || lower(last).find(error) != std::string::npos;
}

View destination_name(const message::Recipient& recipient, const message::RecipientState& state,
                      const route::Router& router, std::string& scratch) {
  const bool chosen = !state.via.empty() && router.by_name(state.via) != nullptr;
  return chosen ? state.via : router.place(recipient.domain, scratch).name;
}

bool Filter::recipient_fits(const spool::Message& message, std::uint32_t index, const route::Router& router) const {
  const message::Recipient recipient = message.envelope.recipient(index);
  if (!to.fits(recipient.forward_path, recipient.domain)) return false;
  const message::RecipientState state = message.state.at(index);
  if (!error_fits(state.text, state.code)) return false;
  if (destination.empty()) return true;
  std::string scratch;
  return !is_over(state.status) && destination == destination_name(recipient, state, router, scratch);
}

bool Filter::fits(const spool::Message& message, const route::Router& router) const {
  if (id && *id != message.id) return false;
  if (accepted_until && message.envelope.accepted > *accepted_until) return false;
  if (accepted_since && message.envelope.accepted < *accepted_since) return false;
  if (standing && *standing != standing_of(message.state)) return false;
  if (!from.fits(message.envelope.reverse_path(), domain_of(message.envelope.reverse_path()))) return false;
  if (!about_recipients()) return true;
  for (std::uint32_t i = 0; i < message.state.size(); ++i)
    if (recipient_fits(message, i, router)) return true;
  return false;
}

}  // namespace ringpost::core
