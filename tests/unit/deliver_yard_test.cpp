// The simulated sites and the host of the Deliverer's tests.
#include "deliver_yard.h"

#include <doctest/doctest.h>

namespace ringpost::deliver::test {

struct Site::Peer : sim::EndpointEvents, std::enable_shared_from_this<Site::Peer> {
  Site& site;
  sim::EndpointPointer end;
  Server server;
  std::string to_send;
  bool over = false;

  explicit Peer(Site& its) : site(its) {}
  void on_connected() override {}
  void on_readable() override {
    if (over || !site.reads(server)) return;
    const std::string got(end->readable());
    end->consume(got.size());
    to_send += server.take(got);
    push();
    if (!over && (end->at_end() || end->error() != 0)) hang_up(false);
  }
  void on_writable() override { push(); }
  void push() {
    if (over) return;
    to_send.erase(0, end->write(to_send));
    if (server.closed && to_send.empty()) hang_up(false);
  }
  void hang_up(bool reset) {
    if (over) return;
    over = true;
    --site.open;
    reset ? end->reset() : end->close();
  }
};

Site::Site(sim::World& world, const SocketAddress& address) : world_(world) {
  auto listening = world.network().listen(address, *this, 1024, false);
  REQUIRE(listening);
  listener_ = *listening;
}

Site::~Site() {
  hang_up(true);
  world_.network().close(*listener_);
}

void Site::on_connection() {
  while (listener_->waiting()) {
    auto peer = std::make_shared<Peer>(*this);
    peers_.push_back(peer);
    peer->end = listener_->take();
    ++connections;
    most_open = std::max(most_open, ++open);
    make(peer->server, connections);
    peer->to_send = peer->server.greet();
    peer->end->attach(peer.get());
    peer->push();
  }
}

std::vector<Server::Message> Site::messages() const {
  std::vector<Server::Message> all;
  for (const auto& peer : peers_) all.insert(all.end(), peer->server.messages.begin(), peer->server.messages.end());
  return all;
}

std::vector<std::string> Site::breaches() const {
  std::vector<std::string> all;
  for (const auto& peer : peers_) all.insert(all.end(), peer->server.breaches.begin(), peer->server.breaches.end());
  return all;
}

std::size_t Site::commands(View prefix) const {
  std::size_t count = 0;
  for (const auto& peer : peers_)
    for (const std::string& line : peer->server.commands) count += line.starts_with(prefix);
  return count;
}

void Site::hang_up(bool reset) {
  for (const auto& peer : peers_) peer->hang_up(reset);
}

Yard::~Yard() {
  hold = true;
  if (!deliverer) return;
  deliverer->abort();
  world.run_until([&] { return deliverer->idle(); });
  for (const std::string& violation : world.violations()) FAIL_CHECK(violation);
}

Letter& Yard::add(std::uint32_t destination, std::size_t recipients, std::string content) {
  auto& queue = letters[destination];
  const std::uint64_t number = destination * 1'000'000ULL + queue.size() + 1;
  queue.push_back(std::make_unique<Letter>(number, recipients, std::move(content)));
  queue.back()->job.destination = DestinationId{destination};
  return *queue.back();
}

route::Way Yard::route(std::vector<SocketAddress> hosts, config::Manners manners) {
  auto list = std::make_shared<route::Hosts>();
  for (const SocketAddress& host : hosts) list->list.push_back({host, {}});
  return {.name = hosts.empty() ? "none" : hosts.front().text(), .hosts = std::move(list), .manners = manners};
}

bool Yard::all_over() const {
  for (const auto& [id, queue] : letters)
    for (const auto& letter : queue)
      if (!letter->done) return false;
  return true;
}

std::size_t Yard::count(std::uint32_t destination, View prefix) const {
  std::size_t sum = 0;
  for (const auto& letter : letters.at(destination)) sum += letter->with(prefix);
  return sum;
}

Job* Yard::next(DestinationId id) {
  if (hold) return nullptr;
  for (auto& letter : letters[id.value]) {
    if (letter->taken || letter->done) continue;
    letter->taken = true;
    letter->source.rewind();
    return &letter->job;
  }
  return nullptr;
}

Letter& Yard::letter_of(Job& job) {
  for (auto& letter : letters[job.destination.value])
    if (&letter->job == &job && letter->taken) return *letter;
  FAIL("a job that is nobody's");
  return *letters[job.destination.value].front();
}

void Yard::outcome(Job& job, std::uint32_t recipient, const message::Outcome& outcome, const Attempt& attempt) {
  Letter& letter = letter_of(job);
  CHECK(attempt.took >= Duration{});
  CHECK_FALSE(attempt.site.empty());
  letter.note(recipient, outcome);
}

void Yard::done(Job& job) {
  Letter& letter = letter_of(job);
  for (const std::uint32_t recipient : letter.recipients) REQUIRE_FALSE(letter.outcomes[recipient].empty());
  letter.taken = false;
  letter.done = true;
  std::fill(letter.source.text.begin(), letter.source.text.end(), '!');
}

void Yard::returned(Job& job) {
  Letter& letter = letter_of(job);
  for (const std::string& outcome : letter.outcomes) REQUIRE(outcome.empty());
  letter.taken = false;
  ++letter.returned;
  ++returned_count;
}

namespace {

std::string told(DestinationId id, const message::Outcome& outcome, const Attempt& attempt) {
  CHECK(outcome.kind == message::Outcome::Kind::later);
  char room[smtp::EnhancedCode::kTextLength];
  return std::to_string(id.value) + ": " + std::to_string(outcome.code) + " " +
         std::string(outcome.enhanced.write(room)) + " " + std::string(outcome.text) + " @" + attempt.host.text();
}

}  // namespace

void Yard::unreachable(DestinationId id, const message::Outcome& outcome, const Attempt& attempt) {
  unreachables.push_back(told(id, outcome, attempt));
}

void Yard::shortage(DestinationId id, const message::Outcome& outcome, const Attempt& attempt) {
  shortages.push_back(told(id, outcome, attempt));
}

TEST_CASE("a site of these tests takes a message over the simulated network") {
  const SocketAddress address = SocketAddress::v4(192, 0, 2, 1, 25);
  Yard yard;
  Site site(yard.world, address);
  yard.add(1);
  yard.start();
  yard.deliverer->open({1}, Yard::route({address}));
  CHECK(yard.world.run_until([&] { return yard.all_over(); }));
  REQUIRE(site.messages().size() == 1);
  CHECK(site.messages()[0].from == "from@example.org");
}

}  // namespace ringpost::deliver::test
