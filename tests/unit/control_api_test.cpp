// The commands over HTTP: who may do what, which status an answer has, and what a path, a query and a body mean.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../sim/world.h"
#include "ringpost/control.h"

namespace ringpost::control {
namespace {

constexpr View kAdmin = "0123456789abcdef0123456789abcdef";
constexpr View kReader = "fedcba9876543210fedcba9876543210";

// A file of tokens, with a mode.
class TokenFile {
 public:
  explicit TokenFile(const std::string& text, mode_t mode = 0600) {
    const int fd = mkstemp(path_);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    REQUIRE(fchmod(fd, mode) == 0);
    ::close(fd);
  }
  ~TokenFile() { unlink(path_); }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/ringpost-tokens-XXXXXX";
};

std::string usual_tokens() {
  return "# role name token\n\nadmin alice " + std::string{kAdmin} + "\nread-only board " + std::string{kReader} + "\n";
}

class FakeExchange : public HttpExchange {
 public:
  explicit FakeExchange(HttpRequest request) : request_(std::move(request)) {}
  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  void begin(int its_status, View its_type) override {
    CHECK(status == 0);
    status = its_status;
    type = its_type;
  }
  void write(View octets) override { body += octets; }
  void end() override {
    CHECK_FALSE(ended);
    ended = true;
  }
  void answer(int its_status, View its_type, View octets) override {
    begin(its_status, its_type);
    write(octets);
    end();
  }
  [[nodiscard]] bool abandoned() const override { return gone; }
  [[nodiscard]] bool full() const override { return stuffed; }

  int status = 0;
  std::string type, body;
  bool ended = false, gone = false, stuffed = false;

 private:
  HttpRequest request_;
};

// Keeps what it is asked and answers as it is told.
class Keeper : public Host {
 public:
  void execute(const Request& request, std::shared_ptr<Reply> reply) override {
    asked.push_back(request);
    if (wait) {
      waiting = std::move(reply);
      return;
    }
    if (!no.empty()) return reply->error(fault, no);
    reply->line(R"({"a":1})");
    reply->done();
  }
  std::vector<Request> asked;
  std::string no;
  Fault fault = Fault::failed;
  bool wait = false;
  std::shared_ptr<Reply> waiting;
};

struct Scene {
  explicit Scene(std::string tokens) : api(world.ring(), std::move(tokens), keeper) {}

  std::shared_ptr<FakeExchange> ask(const std::string& method, const std::string& path, View token = {},
                                    const std::string& body = "",
                                    std::vector<std::pair<std::string, std::string>> query = {}) {
    auto exchange =
        std::make_shared<FakeExchange>(HttpRequest{.method = method,
                                                   .path = path,
                                                   .query = std::move(query),
                                                   .authorization = token.empty() ? "" : "Bearer " + std::string{token},
                                                   .body = body});
    api.serve(exchange);
    CHECK(world.run_until([&] { return exchange->ended || keeper.waiting; }, 1min));
    CHECK(exchange->body.find(kAdmin) == std::string::npos);
    return exchange;
  }

  sim::World world;
  Keeper keeper;
  HttpApi api;
};

}  // namespace

TEST_CASE("without a token nothing is done, whatever is asked") {
  const TokenFile file(usual_tokens());
  Scene scene(file.path());
  for (const View token : {View{}, View{"wrong"}, kAdmin.substr(1), View{"0123456789abcdef0123456789abcdeX"}}) {
    const auto answer = scene.ask("GET", "/v1/status", token);
    CHECK(answer->status == 401);
    CHECK(answer->type == "application/json");
    CHECK(answer->body.find("\"kind\":\"forbidden\"") != std::string::npos);
  }
  CHECK(scene.keeper.asked.empty());
}

TEST_CASE("a role says what may be done, and the command knows who asked") {
  const TokenFile file(usual_tokens());
  Scene scene(file.path());
  CHECK(scene.ask("GET", "/v1/list", kReader, "", {{"to", "@a.test"}, {"limit", "7"}})->status == 200);
  REQUIRE(scene.keeper.asked.size() == 1);
  CHECK(scene.keeper.asked[0].command == Command::list);
  CHECK(scene.keeper.asked[0].to == "@a.test");
  CHECK(scene.keeper.asked[0].limit == 7);
  CHECK(scene.keeper.asked[0].by == "board");
  CHECK(scene.ask("POST", "/v1/flush", kReader, R"({"all":true})")->status == 403);
  CHECK(scene.keeper.asked.size() == 1);
  const auto done = scene.ask("POST", "/v1/flush", kAdmin, R"({"all":true})");
  CHECK(done->status == 200);
  CHECK(done->type == "application/x-ndjson");
  CHECK(done->body == "{\"a\":1}\n{\"done\":true}\n");
  REQUIRE(scene.keeper.asked.size() == 2);
  CHECK(scene.keeper.asked[1].all);
  CHECK(scene.keeper.asked[1].by == "alice");
}

TEST_CASE("what changes something wants POST, and wrong requests say what would be right") {
  const TokenFile file(usual_tokens());
  Scene scene(file.path());
  CHECK(scene.ask("GET", "/v1/remove", kAdmin, "", {{"all", "true"}})->status == 405);
  CHECK(scene.ask("DELETE", "/v1/list", kAdmin)->status == 405);
  CHECK(scene.ask("GET", "/", kAdmin)->status == 404);
  CHECK(scene.ask("GET", "/v1/dance", kAdmin)->status == 404);
  CHECK(scene.ask("GET", "/v1/list", kAdmin, "", {{"colour", "red"}})->status == 400);
  CHECK(scene.ask("GET", "/v1/list", kAdmin, "", {{"by", "somebody"}})->status == 400);
  CHECK(scene.ask("POST", "/v1/list", kAdmin, "nonsense")->status == 400);
  CHECK(scene.ask("POST", "/v1/list", kAdmin, R"({"command":"remove","all":true})")->status == 400);
  CHECK(scene.ask("POST", "/v1/list", kAdmin, R"({"limit":"x"})")->status == 400);
  CHECK(scene.keeper.asked.empty());
  scene.keeper.no = "no message with this id";
  for (const auto& [fault, status] : {std::pair{Fault::usage, 400},
                                      {Fault::not_found, 404},
                                      {Fault::forbidden, 403},
                                      {Fault::unavailable, 503},
                                      {Fault::failed, 500}}) {
    scene.keeper.fault = fault;
    const auto answer = scene.ask("GET", "/v1/show", kAdmin, "", {{"id", "x"}});
    CHECK(answer->status == status);
    CHECK(answer->body.find("no message with this id") != std::string::npos);
  }
}

TEST_CASE("a token file that others may read, or that is wrong, opens nothing and tells no secret") {
  const TokenFile open_to_all(usual_tokens(), 0644);
  Scene careless(open_to_all.path());
  CHECK(careless.ask("GET", "/v1/status", kAdmin)->status == 500);
  CHECK_FALSE(careless.api.check());
  CHECK(careless.api.check().error().message().find("chmod") != std::string::npos);
  for (const std::string text :
       {"", "# nothing\n", "root alice 0123456789abcdef0123456789abcdef\n", "admin alice secret-but-short\n",
        "admin alice\n", "admin 0123456789abcdef0123456789abcdef and more behind it\n"}) {
    const TokenFile file(text);
    Scene scene(file.path());
    const auto checked = scene.api.check();
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message().find("secret") == std::string::npos);
    CHECK(checked.error().message().find("0123") == std::string::npos);
    CHECK(scene.ask("GET", "/v1/status", kAdmin)->status == 500);
  }
  Scene missing("/nonexistent/tokens");
  CHECK_FALSE(missing.api.check());
  CHECK(missing.ask("GET", "/v1/status", kAdmin)->status == 500);
}

TEST_CASE("without a token file, on a socket whose mode says who may come, all may do all") {
  Scene scene("");
  CHECK(scene.api.check());
  CHECK(scene.ask("POST", "/v1/flush", "", R"({"all":true})")->status == 200);
}

TEST_CASE("a reply that is full goes on when its client has read, and one whose client is gone is abandoned") {
  Scene scene("");
  scene.keeper.wait = true;
  const auto exchange = scene.ask("GET", "/v1/list");
  int moved = 0;
  scene.keeper.waiting->on_moved(&moved, [](void* count) { ++*static_cast<int*>(count); });
  exchange->stuffed = true;
  scene.world.run_for(1s);
  CHECK(scene.keeper.waiting->full());
  CHECK(moved == 0);
  exchange->stuffed = false;
  scene.world.run_for(1s);
  CHECK(moved == 1);
  exchange->gone = true;
  scene.world.run_for(100ms);
  CHECK(moved > 1);
  CHECK(scene.keeper.waiting->abandoned());
  scene.keeper.waiting->on_moved(nullptr, nullptr);
  scene.keeper.waiting.reset();
}

TEST_CASE("a relay that ends refuses what comes") {
  const TokenFile file(usual_tokens());
  Scene scene(file.path());
  scene.api.close();
  CHECK(scene.ask("GET", "/v1/status", kAdmin)->status == 503);
  CHECK(scene.api.idle());
}

}  // namespace ringpost::control
