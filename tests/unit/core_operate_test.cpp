// The operator's commands on two cores: what a filter finds, answers in pages, what holds over a restart, and ends that
// nobody waits for.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core_scene.h"

namespace ringpost::core::test {
namespace {

// Mail that waits: nobody answers at its destinations.
void start_with_mail(Scene& scene, int messages) {
  scene.route("first.test", {kFirst});
  scene.route("second.test", {kSecond});
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.world.network().down(kSecond, sim::Down::refused);
  scene.config.retry.schedule = {1h};
  scene.start();
  for (int i = 0; i < messages; ++i)
    REQUIRE(scene.send({"user" + std::to_string(i) + (i % 2 == 0 ? "@first.test" : "@second.test")}));
}

std::string value_of(const std::string& answer, const std::string& key) {
  const std::string head = "\"" + key + "\":\"";
  const std::size_t at = answer.find(head);
  if (at == std::string::npos) return {};
  return answer.substr(at + head.size(), answer.find('"', at + head.size()) - at - head.size());
}

std::vector<std::string> ids_in(const std::string& answer) {
  std::vector<std::string> ids;
  const std::string head = R"({"id":")";
  for (std::size_t at = 0; (at = answer.find(head, at)) != std::string::npos; at += head.size())
    ids.push_back(answer.substr(at + head.size(), SpoolId::kTextLength));
  return ids;
}

std::size_t messages_in(const std::string& answer) { return ids_in(answer).size(); }

// A client that sends a request and then reads no octet until it is told to.
class Sleeper : public sim::EndpointEvents {
 public:
  Sleeper(Scene& scene, std::string request)
      : request_(std::move(request)), end_(scene.world.network().make(SocketAddress::v4(10, 0, 0, 8, 0))) {
    end_->attach(this);
    scene.world.network().connect(*end_, scene.world.network().local_name(scene.config.control.socket));
  }
  ~Sleeper() override { end_->close(); }

 private:
  void on_connected() override { on_writable(); }
  void on_readable() override {}
  void on_writable() override { request_.erase(0, end_->write(request_)); }
  std::string request_;
  sim::EndpointPointer end_;
};

}  // namespace

TEST_CASE("a search finds what its filter is about, on every core") {
  Scene scene(2);
  start_with_mail(scene, 40);
  const auto found = [&](const std::string& filter) {
    return messages_in(scene.ask(R"({"command":"list","limit":1000)" + filter + "}"));
  };
  CHECK(found("") == 40);
  CHECK(found(R"(,"to":"user7@second.test")") == 1);
  CHECK(found(R"(,"to":"USER7@Second.TEST")") == 1);
  CHECK(found(R"(,"to":"user7@first.test")") == 0);
  CHECK(found(R"(,"to":"@first.test")") == 20);
  CHECK(found(R"(,"from":"from@sender.test")") == 40);
  CHECK(found(R"(,"from":"<>")") == 0);
  CHECK(found(R"(,"from":"@sender.test","to":"@second.test")") == 20);
  CHECK(found(R"(,"destination":"192.0.2.1:25")") == 20);
  CHECK(found(R"(,"state":"queued")") == 40);
  CHECK(found(R"(,"state":"held")") == 0);
  CHECK(found(R"(,"older":"1h")") == 0);
  scene.world.run_for(90min);
  CHECK(found(R"(,"older":"1h")") == 40);
  CHECK(found(R"(,"newer":"1h")") == 0);
  CHECK(found(R"(,"error":"REFUSED")") > 0);
  CHECK(found(R"(,"code":550)") == 0);
}

TEST_CASE("pages of a list, behind each other by their cursors, are the list") {
  Scene scene(2);
  start_with_mail(scene, 30);
  const std::vector<std::string> all = ids_in(scene.ask(R"({"command":"list","limit":1000})"));
  CHECK(all.size() == 30);
  std::vector<std::string> paged;
  std::string after;
  for (int page = 0; page < 20; ++page) {
    const std::string answer =
        scene.ask(R"({"command":"list","limit":7)" + (after.empty() ? "" : R"(,"after":")" + after + "\"") + "}");
    for (const std::string& id : ids_in(answer)) paged.push_back(id);
    after = value_of(answer, "after");
    if (after.empty()) break;
  }
  CHECK(paged == all);
}

TEST_CASE("what is held is not attempted, stays held over power loss, and goes when it is released") {
  Scene scene(2);
  start_with_mail(scene, 10);
  CHECK(scene.ask(R"({"command":"hold","to":"@first.test"})").starts_with(R"({"messages":5})"));
  CHECK(scene.counts().held == 5);
  CHECK(scene.counts().queued == 5);
  scene.world.run_for(1s);
  scene.lose_power(sim::survive_none());
  scene.world.network().down(kFirst, sim::Down::no);
  scene.world.network().down(kSecond, sim::Down::no);
  Site first(scene.world, kFirst), second(scene.world, kSecond);
  scene.start();
  CHECK(scene.counts().held == 5);
  CHECK(scene.ask(R"({"command":"flush","all":true})").starts_with(R"({"messages":5})"));
  CHECK(scene.run_until([&] { return second.messages().size() == 5; }));
  scene.world.run_for(6 * 24h);  // longer than retry.expire
  CHECK(first.messages().empty());
  CHECK(scene.counts().held == 5);
  CHECK(scene.counts().failed == 0);
  CHECK(messages_in(scene.ask(R"({"command":"list","state":"held"})")) == 5);
}

TEST_CASE("a removal by recipient leaves the others of the same message") {
  Scene scene;
  scene.route("first.test", {kFirst});
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  REQUIRE(scene.send({"one@first.test", "two@first.test"}));
  CHECK(scene.ask(R"({"command":"remove","to":"two@first.test","dry_run":true})").starts_with(R"({"messages":1)"));
  CHECK(scene.ask(R"({"command":"remove","to":"two@first.test"})").starts_with(R"({"messages":1})"));
  scene.world.network().down(kFirst, sim::Down::no);
  Site site(scene.world, kFirst);
  CHECK(scene.ask(R"({"command":"flush","all":true})").starts_with(R"({"messages":1})"));
  CHECK(scene.run_until([&] { return scene.counts().queued == 0; }));
  CHECK(scene.counts().delivered == 1);
  CHECK(site.commands("RCPT") == 1);
}

TEST_CASE("a suspended destination gets nothing, over a restart too, until it is resumed") {
  Scene scene(2);
  start_with_mail(scene, 8);
  CHECK(scene.ask(R"({"command":"suspend","destination":"192.0.2.1:25"})").find("true") != std::string::npos);
  scene.lose_power(sim::survive_none());
  scene.world.network().down(kFirst, sim::Down::no);
  scene.world.network().down(kSecond, sim::Down::no);
  Site first(scene.world, kFirst), second(scene.world, kSecond);
  scene.start();
  scene.ask(R"({"command":"flush","all":true})");
  CHECK(scene.run_until([&] { return second.messages().size() == 4; }));
  scene.world.run_for(30min);
  CHECK(first.messages().empty());
  CHECK(scene.ask(R"({"command":"queue"})").find(R"("suspended":true)") != std::string::npos);
  CHECK(scene.ask(R"({"command":"resume","destination":"192.0.2.1:25"})").find("false") != std::string::npos);
  CHECK(scene.run_until([&] { return first.messages().size() == 4; }, 2h));
  CHECK(scene.ask(R"({"command":"resume","destination":"192.0.2.1:25"})").starts_with(R"({"error")"));
}

TEST_CASE("a client that does not read its answer costs a bounded buffer, and others are answered meanwhile") {
  Scene scene;
  start_with_mail(scene, 200);
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += R"({"command":"list","limit":1000})"
            "\n";
  const Sleeper sleeper(scene, many);
  scene.world.run_for(10s);
  CHECK(messages_in(scene.ask(R"({"command":"list","limit":1000})")) == 200);
  CHECK(scene.ask(R"({"command":"remove","all":true})").starts_with(R"({"messages":200})"));
}

TEST_CASE("a relay that is told to end does not wait for questions, asked or being asked") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Scene scene(3, seed);
    start_with_mail(scene, 12);
    const Sleeper list(scene, R"({"command":"list","limit":1000})"
                              "\n");
    const Sleeper show(scene, R"({"command":"queue"})"
                              "\n");
    const Sleeper flush(scene, R"({"command":"flush","all":true})"
                               "\n");
    scene.world.run_for(std::chrono::microseconds(100 * seed));
    const Instant asked = scene.world.now();
    scene.end();
    CHECK(scene.world.now() - asked < 10s);
  }
}

}  // namespace ringpost::core::test
