// HttpApi: the commands over HTTP. Owned by core 0's Core. It reads the tokens anew for each request, on a helper
// thread, so that a changed file counts at once; then the request goes to the Host as one of the socket does, and the
// answer's lines leave as they come.
#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "control/request.h"
#include "control/tokens.h"
#include "ringpost/control.h"

namespace ringpost::control {
namespace {

constexpr View kJsonLines = "application/x-ndjson";
constexpr View kJson = "application/json";
constexpr View kRoot = "/v1/";
constexpr View kBearer = "Bearer ";
constexpr Duration kLook = 20ms;  // between two looks whether the client has read, or is gone
constexpr int kOk = 200, kBadRequest = 400, kUnauthorized = 401, kForbidden = 403, kNotFound = 404, kMethod = 405,
              kFailed = 500, kUnavailable = 503;

int status_of(Fault fault) {
  switch (fault) {
    case Fault::usage:
      return kBadRequest;
    case Fault::not_found:
      return kNotFound;
    case Fault::forbidden:
      return kForbidden;
    case Fault::unavailable:
      return kUnavailable;
    case Fault::failed:
      return kFailed;
  }
  return kFailed;
}

void refuse(HttpExchange& exchange, int status, Fault fault, View text) {
  exchange.answer(status, kJson, error_line(fault, text) + "\n");
}

// The answer of one command on its way into an exchange.
class HttpReply : public Reply {
 public:
  HttpReply(ring::Ring& ring, std::shared_ptr<HttpExchange> exchange)
      : ring_(ring), exchange_(std::move(exchange)), look_(this, ring::call<&HttpReply::look>) {}

  void line(View json_object) override {
    begin(kOk, kJsonLines);
    exchange_->write(json_object);
    exchange_->write("\n");
  }
  void done(View after) override { end(kOk, done_line(after)); }
  // Once lines have left, the status has, too: the last line says that it went wrong.
  void error(Fault fault, View text) override { end(status_of(fault), error_line(fault, text)); }
  [[nodiscard]] bool abandoned() const override { return exchange_->abandoned(); }
  [[nodiscard]] bool full() const override {
    const bool full = exchange_->full();
    was_full_ |= full;
    return full;
  }
  void on_moved(void* owner, void (*moved)(void* owner)) override {
    owner_ = owner;
    moved_ = moved;
    if (moved_ != nullptr)
      ring_.arm(look_, kLook);
    else
      look_.disarm();
  }

 private:
  void begin(int status, View type) {
    if (!std::exchange(begun_, true)) exchange_->begin(status, type);
  }
  void end(int status, const std::string& last) {
    begin(status, status == kOk ? kJsonLines : kJson);
    exchange_->write(last + "\n");
    exchange_->end();
  }
  void look() {
    ring_.arm(look_, kLook);
    if (!exchange_->abandoned() && (!was_full_ || exchange_->full())) return;
    was_full_ = false;
    moved_(owner_);
  }

  ring::Ring& ring_;
  std::shared_ptr<HttpExchange> exchange_;
  ring::Timer look_;
  void* owner_ = nullptr;
  void (*moved_)(void*) = nullptr;
  bool begun_ = false;
  mutable bool was_full_ = false;  // and whoever saw it is to be told when it is no more
};

// The request that an exchange makes, or what is wrong with it.
struct Asked {
  std::optional<Request> request;
  int status = kBadRequest;
  std::string why;
};

Asked from_body(View command, const HttpRequest& http) {
  Asked asked;
  auto body = nlohmann::json::parse(http.body.empty() ? "{}" : http.body, nullptr, false);
  if (body.is_discarded() || !body.is_object()) return asked.why = "the body must be one JSON object", asked;
  if (body.contains("command") || body.contains("by"))
    return asked.why =
               "the command stands in the path, and who asks is told "
               "by the token",
           asked;
  body["command"] = command;
  auto request = parse_request(body.dump());
  if (!request) return asked.why = request.error().text, asked;
  asked.request = std::move(*request);
  return asked;
}

Asked asked_by(const HttpRequest& http) {
  Asked asked;
  const View path = http.path;
  const View name = path.starts_with(kRoot) ? path.substr(kRoot.size()) : View{};
  const auto all = commands();
  const auto facts = std::ranges::find(all, name, &CommandFacts::name);
  if (facts == all.end()) {
    asked.status = kNotFound;
    asked.why = "no such path: " + std::string{kRoot} + "<command>, with one of";
    for (const CommandFacts& one : all) asked.why.append(" ").append(one.name);
    return asked;
  }
  const bool reads = http.method == "GET" && !facts->changes;
  if (!reads && http.method != "POST") {
    asked.status = kMethod;
    asked.why = std::string{name} + (facts->changes ? " wants POST" : " wants GET or POST");
    return asked;
  }
  asked = reads ? Asked{} : from_body(name, http);
  if (reads) asked.request.emplace().command = facts->command;
  if (!asked.request) return asked;
  for (const auto& [key, value] : http.query)
    if (key == "command" || key == "by" || !set_member(*asked.request, key, value, asked.why)) {
      if (asked.why.empty()) asked.why = "\"" + key + "\" is not for the query";
      asked.request.reset();
      return asked;
    }
  return asked;
}

}  // namespace

// One exchange while its token is looked up.
struct HttpApi::Waiting {
  Waiting(HttpApi& its_api, std::shared_ptr<HttpExchange> its_exchange)
      : api(its_api), exchange(std::move(its_exchange)), read(this, ring::handler<&Waiting::on_read>) {}
  void on_read(const ring::Completion&) { api.decide(*this); }

  HttpApi& api;
  std::shared_ptr<HttpExchange> exchange;
  ring::Operation read;
  // Written on the helper thread, read when it is back.
  bool known = false;
  Holder holder;
  std::string trouble;
};

HttpApi::HttpApi(ring::Ring& ring, std::string tokens_path, Host& host)
    : ring_(ring), tokens_path_(std::move(tokens_path)), host_(host) {}

HttpApi::~HttpApi() = default;

Result<void> HttpApi::check() const {
  if (tokens_path_.empty()) return {};
  const auto tokens = Tokens::read(tokens_path_);
  if (!tokens) return std::unexpected(tokens.error());
  return {};
}

void HttpApi::serve(std::shared_ptr<HttpExchange> exchange) {
  if (!exchange) return;
  if (closing_) return refuse(*exchange, kUnavailable, Fault::unavailable, "the relay is ending");
  Waiting& waiting = *waiting_.emplace_back(std::make_unique<Waiting>(*this, std::move(exchange)));
  if (tokens_path_.empty()) {  // a UNIX socket, whose mode says who may connect
    waiting.known = true;
    waiting.holder = {.role = Role::admin, .name = "http", .token = {}};
    return decide(waiting);
  }
  const std::string& header = waiting.exchange->request().authorization;
  std::string token = header.starts_with(kBearer) ? header.substr(kBearer.size()) : std::string{};
  ring_.help(waiting.read, [&waiting, path = tokens_path_, token = std::move(token)] {
    const auto tokens = Tokens::read(path);
    if (!tokens) return waiting.trouble = tokens.error().message(), 0;
    const Holder* holder = token.size() > kLongestToken ? nullptr : tokens->find(token);
    waiting.known = holder != nullptr;
    if (holder != nullptr) waiting.holder = {.role = holder->role, .name = holder->name, .token = {}};
    return 0;
  });
}

void HttpApi::decide(Waiting& waiting) {
  const auto exchange = waiting.exchange;
  const std::string trouble = std::move(waiting.trouble);
  const bool known = waiting.known;
  const Holder holder = std::move(waiting.holder);
  std::erase_if(waiting_, [&waiting](const auto& one) { return one.get() == &waiting; });
  if (!trouble.empty()) return refuse(*exchange, kFailed, Fault::failed, "control.tokens: " + trouble);
  if (!known)
    return refuse(*exchange, kUnauthorized, Fault::forbidden,
                  "a token of control.tokens is needed: Authorization: Bearer TOKEN");
  Asked asked = asked_by(exchange->request());
  if (!asked.request)
    return refuse(*exchange, asked.status, asked.status == kNotFound ? Fault::not_found : Fault::usage, asked.why);
  const CommandFacts& facts = facts_of(asked.request->command);
  if (facts.changes && holder.role != Role::admin)
    return refuse(*exchange, kForbidden, Fault::forbidden, std::string{facts.name} + " wants the role admin");
  asked.request->by = holder.name;
  host_.execute(*asked.request, std::make_shared<HttpReply>(ring_, exchange));
}

}  // namespace ringpost::control
