// Requests of the control protocol: what they take, and how they say what is wrong.
#include <doctest/doctest.h>

#include "ringpost/control.h"

namespace ringpost::control {
namespace {

std::string why(View line) {
  const auto request = parse_request(line);
  return request ? "" : request.error().text;
}

}  // namespace

TEST_CASE("a request has its members, whatever their order") {
  const auto request = parse_request(R"({"limit":7,"to":"@a.test","command":"search","dry_run":false,"code":451})");
  REQUIRE(request);
  CHECK(request->command == Command::search);
  CHECK(request->to == "@a.test");
  CHECK(request->limit == 7);
  CHECK(request->code == 451);
  CHECK_FALSE(request->dry_run);
  CHECK(request->from.empty());
}

TEST_CASE("a wrong request says what is wrong and what would be right") {
  CHECK(why("nonsense").find("one JSON object") != std::string::npos);
  CHECK(why("[]").find("one JSON object") != std::string::npos);
  CHECK(why("{}").find("needs a \"command\": status, queue") != std::string::npos);
  CHECK(why(R"({"command":"dance"})").find("'dance': status") != std::string::npos);
  CHECK(why(R"({"command":1})").find("string") != std::string::npos);
  CHECK(why(R"({"command":"list","colour":1})").find("\"colour\": command, id") != std::string::npos);
  CHECK(why(R"({"command":"list","limit":-1})").find("not negative") != std::string::npos);
  CHECK(why(R"({"command":"list","limit":"1"})").find("whole number") != std::string::npos);
  CHECK(why(R"({"command":"list","to":1})").find("must be a string") != std::string::npos);
  CHECK(why(R"({"command":"flush","all":1})").find("true or false") != std::string::npos);
}

TEST_CASE("a request written as a line is the same when it is read") {
  Request request;
  request.command = Command::remove;
  request.from = "odd \"name\"\\@a.test";
  request.error = "zeile\n\xc3\xa4";
  request.code = 599;
  request.dry_run = true;
  const std::string line = request_line(request);
  CHECK(line.find('\n') == std::string::npos);
  const auto again = parse_request(line);
  REQUIRE(again);
  CHECK(again->from == request.from);
  CHECK(again->error == request.error);
  CHECK(again->code == 599);
  CHECK(again->dry_run);
  CHECK(again->command == Command::remove);
}

TEST_CASE("the words of a query string are taken by the same names") {
  Request request;
  std::string wrong;
  CHECK(set_member(request, "limit", "20", wrong));
  CHECK(set_member(request, "to", "@a.test", wrong));
  CHECK(set_member(request, "content", "", wrong));
  CHECK(set_member(request, "all", "false", wrong));
  CHECK(request.limit == 20);
  CHECK(request.to == "@a.test");
  CHECK(request.content);
  CHECK_FALSE(request.all);
  CHECK_FALSE(set_member(request, "limit", "20x", wrong));
  CHECK_FALSE(set_member(request, "limit", "", wrong));
  CHECK_FALSE(set_member(request, "all", "yes", wrong));
  CHECK_FALSE(set_member(request, "colour", "red", wrong));
  CHECK(wrong.find("colour") != std::string::npos);
}

TEST_CASE("each command is known by its name, and who changes nothing says so") {
  for (const CommandFacts& facts : commands()) {
    Request request;
    std::string wrong;
    CHECK(set_member(request, "command", facts.name, wrong));
    CHECK(request.command == facts.command);
    CHECK(facts_of(facts.command).name == facts.name);
  }
  CHECK_FALSE(facts_of(Command::list).changes);
  CHECK_FALSE(facts_of(Command::show).changes);
  CHECK(facts_of(Command::suspend).changes);
  CHECK(facts_of(Command::release).changes);
}

}  // namespace ringpost::control
