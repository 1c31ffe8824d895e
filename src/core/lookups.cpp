#include "core/lookups.h"

#include <algorithm>
#include <utility>

#include "core/post.h"

namespace ringpost::core {
namespace {

dns::ResolverOptions options_of(const config::Config& config, unsigned cores) {
  return {config.dns.servers, config::cache_of(config) / cores};
}

std::string key_of(View normal, dns::Type type) {
  return std::string(normal) + '/' + std::to_string(static_cast<unsigned>(type));
}

}  // namespace

// ---- the board

void Board::put(std::uint64_t number, Entry entry) {
  const std::lock_guard lock(mutex_);
  entries_[number] = std::move(entry);
}

std::optional<Board::Entry> Board::look(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

void Board::answer(std::uint64_t number, dns::AnswerPointer answer) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(number); found != entries_.end()) found->second.answer = std::move(answer);
}

std::optional<Board::Entry> Board::take(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  auto node = entries_.extract(number);
  return node.empty() ? std::nullopt : std::optional(std::move(node.mapped()));
}

std::shared_ptr<Board> make_board() { return std::make_shared<Board>(); }

// ---- who asks

// Another core's question, with this core's resolver.
struct Lookups::Remote {
  Remote(Lookups& of, CoreId by, std::uint64_t with) : owner(of), asker(by), number(with) {}
  void on_answer(const dns::AnswerPointer& answer) { owner.reply(*this, answer); }

  Lookups& owner;
  CoreId asker;
  std::uint64_t number;
  dns::Query query{this, dns::answered<&Remote::on_answer>};
};

Lookups::Lookups(ring::Ring& ring, const config::Config& config, std::shared_ptr<Board> board)
    : ring_(ring), board_(std::move(board)), resolver_(ring, options_of(config, ring.cores())) {}

Lookups::~Lookups() = default;

CoreId Lookups::home_of(View normal, dns::Type type) const {
  return pace::home_of(pace::key_of(key_of(normal, type)), ring_.cores());
}

void Lookups::lookup(dns::Query& query, View name, dns::Type type) {
  std::string normal = dns::normal_name(name);
  if (normal.empty() || home_of(normal, type) == ring_.core()) return resolver_.lookup(query, name, type);
  std::unique_ptr<Asked>& asked = asked_[key_of(normal, type)];
  const bool fresh = asked == nullptr;
  if (fresh) asked = std::make_unique<Asked>();
  asked->waiting.push_back(query);
  if (!fresh || stopped_) return;
  asked->number = std::uint64_t{ring_.core().value} << 48 | ++next_number_;
  const CoreId home = home_of(normal, type);
  keys_.emplace(asked->number, key_of(normal, type));
  board_->put(asked->number, {std::move(normal), type, nullptr});
  ring::Mail letter = mail_of(Post::question, ring_.core(), nullptr);
  letter.words[0] = asked->number;
  ring_.mail_to(home, letter);
}

void Lookups::answered(std::uint64_t number) {
  const auto entry = board_->take(number);
  const auto key = keys_.extract(number);
  if (!entry || key.empty()) return;
  const auto asked = asked_.extract(key.mapped());
  if (asked.empty()) return;
  while (!asked.mapped()->waiting.empty()) asked.mapped()->waiting.front().complete(entry->answer);
}

// ---- who is asked

void Lookups::asked(CoreId by, std::uint64_t number) {
  const auto entry = board_->look(number);
  if (!entry) return;
  const auto [made, fresh] = remotes_.emplace(number, std::make_unique<Remote>(*this, by, number));
  if (!fresh) return;
  if (!stopped_) return resolver_.lookup(made->second->query, entry->name, entry->type);
  dns::Answer none;
  none.text = "this relay goes down";
  none.expires = ring_.now();
  reply(*made->second, std::make_shared<const dns::Answer>(std::move(none)));
}

void Lookups::reply(Remote& remote, const dns::AnswerPointer& answer) {
  board_->answer(remote.number, answer);
  ring::Mail letter = mail_of(Post::answer, ring_.core(), nullptr);
  letter.words[0] = remote.number;
  ring_.mail_to(remote.asker, letter);
  remotes_.erase(remote.number);
}

void Lookups::reconfigure(const config::Config& config) { resolver_.reconfigure(options_of(config, ring_.cores())); }

void Lookups::stop() {
  stopped_ = true;
  resolver_.stop();
}

}  // namespace ringpost::core
