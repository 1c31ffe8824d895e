// The Resolver: questions and who waits for them, the tries that each takes, and when it is over.
//
//   lookup() ── cached, or no name ───────────────────────────────> handed out at this turn's end
//            ── asked already: joins
//            ── else a Question: waits for a place ── tries ── finish(): cache, all who wait
//
// A try that fails is followed by one with another server, while there is one that has not refused, and time.
#include "ringpost/dns.h"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cache.h"
#include "exchange.h"
#include "ringpost/base/check.h"
#include "servers.h"

namespace ringpost::dns {
namespace {

// How long each try waits; the last one repeats. Recursive servers need seconds for names that nobody asked for yet.
constexpr std::array<Duration, 3> kPatience{2s, 3s, 5s};
constexpr unsigned kFewestTries = 4;
constexpr unsigned kMostTries = 8;
constexpr unsigned kMostStrays = 32;  // datagrams with a wrong id or question: then somebody guesses, and TCP is asked

}  // namespace

struct Question : Link<Question> {  // linked while it waits for a place
  explicit Question(Key what) : key(std::move(what)), asked(key.name) {}

  Key key;
  std::string asked;  // the name in the packets: at the end of the CNAMEs so far
  List<Query, Query> waiting;
  Exchange* exchange = nullptr;
  std::uint16_t id = 0;
  bool edns = true;
  unsigned tries = 0;
  unsigned strays = 0;
  std::size_t aliases = 0;
  Duration ttl = kMostTtl;
  std::vector<bool> tried;    // by server, in this round
  std::vector<bool> refused;  // by server: it has answered, and its answer is of no use
  std::string why;            // the last try failed
};

struct Resolver::Parts final : Exchange::Owner {
  // Answers that wait for the end of the turn.
  struct Handed {
    List<Query, Query> waiting;
    AnswerPointer answer;
  };

  Parts(ring::Ring& on, ResolverOptions with)
      : ring(on), options(std::move(with)), servers(options.servers), cache(options.cache_octets) {}

  bool on_message(Exchange&, View wire) override;
  void on_failure(Exchange&, std::string why, bool timed_out) override;
  void on_free(Exchange&) override;

  void hand_out(Query& query, AnswerPointer answer);
  void hand_out_all();
  void begin(Question&);
  void try_next(Question&);
  void try_server(Question&, std::size_t server, bool tcp);
  void take_place();
  bool judge(Exchange&, Question&, Reply&);
  void follow(Question&, Reply&);
  void refused(Question&, std::size_t server, std::string why);
  void give_up(Question&);
  void finish(Question&, Answer answer, Duration ttl);

  ring::Ring& ring;
  ResolverOptions options;
  Servers servers;
  Cache cache;
  Statistics counts;
  bool stopped = false;
  std::size_t asked = 0;  // questions with a try under way
  std::unordered_map<Key, std::unique_ptr<Question>, KeyHash> questions;
  List<Question, Question> line;  // those that wait for a place
  std::vector<std::unique_ptr<Exchange>> exchanges;
  std::vector<Exchange*> free_exchanges;
  std::deque<Handed> handed;
  ring::Deferred handing{this, ring::call<&Parts::hand_out_all>};
};

// ---- who asks

void Resolver::Parts::hand_out(Query& query, AnswerPointer answer) {
  Handed& made = handed.emplace_back();
  made.waiting.push_back(query);
  made.answer = std::move(answer);
  ring.defer(handing);
}

void Resolver::Parts::hand_out_all() {
  for (std::size_t left = handed.size(); left > 0; --left) {
    const AnswerPointer answer = handed.front().answer;
    // Whoever is told may cancel others, or ask: what it asks comes behind.
    while (!handed.front().waiting.empty()) handed.front().waiting.front().complete(answer);
    handed.pop_front();
  }
  if (!handed.empty()) ring.defer(handing);
}

void Resolver::lookup(Query& query, View name, Type type) {
  Parts& my = *parts_;
  CHECK(!query.waiting());
  ++my.counts.lookups;
  Key key{normal_name(name), type};
  if (key.name.empty()) {
    Answer none;
    none.status = Status::no_name;
    none.text = fmt::format("\"{}\" is no domain name", name);
    none.expires = my.ring.now() + kMostNegativeTtl;
    return my.hand_out(query, std::make_shared<const Answer>(std::move(none)));
  }
  if (AnswerPointer known = my.cache.find(key, my.ring.now())) {
    ++my.counts.cached;
    return my.hand_out(query, std::move(known));
  }
  const auto found = my.questions.find(key);
  if (found != my.questions.end()) {
    ++my.counts.joined;
    return found->second->waiting.push_back(query);
  }
  if (my.questions.size() >= kMostQuestions) {
    Answer full;
    full.text = "too many questions wait for the name servers";
    full.expires = my.ring.now() + kLeastTtl;
    return my.hand_out(query, std::make_shared<const Answer>(std::move(full)));
  }
  Question& question = *my.questions.emplace(key, std::make_unique<Question>(key)).first->second;
  question.waiting.push_back(query);
  if (my.stopped) return;
  if (my.asked < kMostAsked)
    my.begin(question);
  else
    my.line.push_back(question);
}

// ---- tries

void Resolver::Parts::begin(Question& question) {
  ++asked;
  question.tried.assign(servers.count(), false);
  question.refused.assign(servers.count(), false);
  try_next(question);
}

void Resolver::Parts::try_next(Question& question) {
  const std::size_t count = servers.count();
  const auto limit = std::clamp<unsigned>(static_cast<unsigned>(2 * count), kFewestTries, kMostTries);
  const bool all_refused = std::find(question.refused.begin(), question.refused.end(), false) == question.refused.end();
  if (count == 0) question.why = "no name server is known: set dns.servers, or write one into /etc/resolv.conf";
  if (all_refused || question.tries >= limit) return give_up(question);
  if (std::find(question.tried.begin(), question.tried.end(), false) == question.tried.end())
    question.tried = question.refused;
  const std::size_t server = servers.choose(question.tried, ring.now());
  question.edns = servers.edns(server, ring.now());
  try_server(question, server, false);
}

void Resolver::Parts::try_server(Question& question, std::size_t server, bool tcp) {
  if (free_exchanges.empty())
    free_exchanges.push_back(exchanges.emplace_back(std::make_unique<Exchange>(ring, *this)).get());
  Exchange& exchange = *free_exchanges.back();
  free_exchanges.pop_back();
  exchange.question = &question;
  exchange.server = server;
  question.exchange = &exchange;
  question.tried[server] = true;
  question.id = static_cast<std::uint16_t>(ring.random().next() >> 48);
  const Duration patience = kPatience[std::min<std::size_t>(question.tries, kPatience.size() - 1)];
  ++question.tries;
  ++counts.sent;
  counts.tcp += tcp;
  exchange.begin(servers.address(server), tcp,
                 write_question(question.id, question.asked, question.key.type, question.edns), patience);
}

bool Resolver::Parts::on_message(Exchange& exchange, View wire) {
  Question* const question = exchange.question;
  if (question == nullptr) return true;
  Reply reply = read_reply(wire, question->id, question->asked, question->key.type, question->edns, exchange.tcp());
  if (reply.kind != Reply::Kind::not_ours) servers.answered(exchange.server, ring.now() - exchange.begun());
  return judge(exchange, *question, reply);
}

// True: the try is over, and its exchange no longer this question's.
bool Resolver::Parts::judge(Exchange& exchange, Question& question, Reply& reply) {
  const std::size_t server = exchange.server;
  if (reply.kind == Reply::Kind::not_ours) {
    ++counts.ignored;
    if (exchange.tcp() || ++question.strays <= kMostStrays) return false;
  }
  exchange.question = nullptr;
  question.exchange = nullptr;
  switch (reply.kind) {
    case Reply::Kind::not_ours:
    case Reply::Kind::truncated:
      try_server(question, server, true);
      break;
    case Reply::Kind::no_edns:
      servers.refused_edns(server, ring.now());
      question.edns = false;
      try_server(question, server, exchange.tcp());
      break;
    case Reply::Kind::garbage:
      servers.failed(server, ring.now(), reply.text);
      refused(question, server, std::move(reply.text));
      break;
    case Reply::Kind::refused:
      refused(question, server, std::move(reply.text));
      break;
    case Reply::Kind::follow:
      follow(question, reply);
      break;
    case Reply::Kind::answer:
      reply.answer.secure = reply.authentic && servers.address(server).is_loopback();
      finish(question, std::move(reply.answer), std::min(question.ttl, reply.ttl));
      break;
  }
  return true;
}

// A chain of CNAMEs whose end this server did not tell of: a question of its own, with tries of its own.
void Resolver::Parts::follow(Question& question, Reply& reply) {
  question.aliases += reply.aliases;
  question.ttl = std::min(question.ttl, reply.ttl);
  if (question.aliases > kMostAliases || normal_name(reply.next).empty()) {
    question.why = fmt::format("{} leads through more than {} CNAMEs, or to no name", question.key.name, kMostAliases);
    return give_up(question);
  }
  question.asked = std::move(reply.next);
  question.tries = 0;
  question.tried.assign(servers.count(), false);
  question.refused.assign(servers.count(), false);
  try_next(question);
}

void Resolver::Parts::refused(Question& question, std::size_t server, std::string why) {
  question.refused[server] = true;
  question.why = fmt::format("{}: {}", servers.address(server).text(), why);
  try_next(question);
}

void Resolver::Parts::on_failure(Exchange& exchange, std::string why, bool timed_out) {
  Question* const question = std::exchange(exchange.question, nullptr);
  counts.timeouts += timed_out;
  if (question == nullptr) return;
  question->exchange = nullptr;
  servers.failed(exchange.server, ring.now(), why);
  const std::string address = servers.address(exchange.server).text();
  question->why = timed_out ? fmt::format("no answer from {}{}", address, why.substr(std::size("no answer") - 1))
                            : fmt::format("{}: {}", address, why);
  try_next(*question);
}

void Resolver::Parts::on_free(Exchange& exchange) {
  free_exchanges.push_back(&exchange);
  take_place();
}

// ---- the end of a question

void Resolver::Parts::give_up(Question& question) {
  ++counts.failures;
  Answer failed;
  failed.name = question.asked;
  failed.text =
      fmt::format("the {} record of {} is not known: {}", name_of(question.key.type), question.key.name, question.why);
  finish(question, std::move(failed), kFailureTtl);
}

void Resolver::Parts::finish(Question& question, Answer answer, Duration ttl) {
  const auto place = questions.find(question.key);
  CHECK(place != questions.end());
  const std::unique_ptr<Question> ended = std::move(place->second);
  questions.erase(place);
  --asked;
  answer.expires = ring.now() + ttl;
  const AnswerPointer known = std::make_shared<const Answer>(std::move(answer));
  cache.keep(ended->key, known);
  // Never from inside lookup(): a question may end at once, where no server is known.
  Handed& out = handed.emplace_back();
  out.answer = known;
  while (!ended->waiting.empty()) out.waiting.push_back(ended->waiting.pop_front());
  ring.defer(handing);
}

void Resolver::Parts::take_place() {
  while (!stopped && asked < kMostAsked && !line.empty()) begin(line.pop_front());
}

// ---- the face

Resolver::Resolver(ring::Ring& ring, ResolverOptions options)
    : parts_(std::make_unique<Parts>(ring, std::move(options))) {}

Resolver::~Resolver() = default;

void Resolver::reconfigure(ResolverOptions options) {
  Parts& my = *parts_;
  my.cache.limit(options.cache_octets);
  if (!my.servers.same(options.servers)) {
    my.cache.clear();
    // Tries under way are with servers that may be gone: they begin anew.
    my.servers = Servers(options.servers);
    for (auto& [key, question] : my.questions) {
      if (question->exchange == nullptr) continue;
      Exchange& exchange = *std::exchange(question->exchange, nullptr);
      exchange.question = nullptr;
      exchange.cancel();
      --my.asked;
      question->tries = 0;
      my.line.push_back(*question);
    }
    my.take_place();
  }
  my.options = std::move(options);
}

void Resolver::stop() {
  parts_->stopped = true;
  for (const auto& exchange : parts_->exchanges) {
    if (exchange->question != nullptr) exchange->question->exchange = nullptr;
    exchange->question = nullptr;
    exchange->cancel();
  }
}

bool Resolver::idle() const {
  return std::all_of(parts_->exchanges.begin(), parts_->exchanges.end(), [](const auto& each) { return each->free(); });
}

Statistics Resolver::statistics() const {
  Statistics counts = parts_->counts;
  counts.entries = parts_->cache.entries();
  counts.octets = parts_->cache.octets();
  return counts;
}

std::vector<ServerState> Resolver::servers() const { return parts_->servers.states(); }

}  // namespace ringpost::dns
