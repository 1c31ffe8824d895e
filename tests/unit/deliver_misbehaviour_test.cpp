// A peer that misbehaves: each stage of the dialogue × each way to go wrong × each way of talking × each cut of its
// octets. Whatever it does, each recipient has exactly one outcome or its job comes back, and the session ends.
#include <doctest/doctest.h>

#include "deliver_scene.h"

namespace ringpost::deliver::test {
namespace {

struct Way {
  const char* name;
  const char* capabilities;
};
constexpr Way kWays[] = {
    {"lockstep", "8BITMIME"},
    {"pipelined", "PIPELINING"},
    {"chunks in lockstep", "CHUNKING"},
    {"bursts of chunks", "PIPELINING\r\nCHUNKING"},
};
constexpr Stage kStages[] = {Stage::banner, Stage::ehlo, Stage::mail,    Stage::rcpt,
                             Stage::data,   Stage::end,  Stage::content, Stage::quit};
constexpr Fault kFaults[] = {Fault::drop,     Fault::later, Fault::never, Fault::bye,   Fault::hang,
                             Fault::nonsense, Fault::drip,  Fault::early, Fault::go_on, Fault::done};
const char* const kStageNames[] = {"banner", "EHLO", "MAIL", "RCPT", "DATA", "content", "end", "RSET", "QUIT"};
const char* const kFaultNames[] = {"none",     "drop", "4xx",   "5xx", "421", "hang",
                                   "nonsense", "drip", "early", "3xx", "2xx"};

// How the first letter may come out of it, as prefixes of its outcome; "returned" and "none" (not taken) too.
std::string fate(const Letter& letter) {
  if (letter.returned > 0) return "returned";
  if (!letter.done) return "none";
  return letter.outcomes[0];
}

bool is_normal(Stage stage, Fault fault) {  // for the server's own meaning
  if (fault == Fault::done) return stage != Stage::data;
  return false;
}

// What the letter at which the fault struck must have got.
std::string expected(Stage stage, Fault fault, bool chunking) {
  const bool greeting = stage == Stage::banner || stage == Stage::ehlo;
  if (stage == Stage::quit || is_normal(stage, fault)) return "delivered";
  if (stage == Stage::data && chunking) return "delivered";  // never reached
  if (stage == Stage::content && fault != Fault::drop && fault != Fault::hang) return "delivered";
  if (greeting) return fault == Fault::never && stage == Stage::ehlo ? "" : fault == Fault::early ? "" : "none";
  switch (fault) {
    case Fault::never:
      return "never 550 5.7.1 go away";
    case Fault::later:
      return "later 450 4.3.2 try again";
    case Fault::bye:
      return "later 421 4.3.2 closing";
    case Fault::drop:
      return "later 0 4.4.2 connection closed";
    case Fault::hang:
    case Fault::drip:
      return "later 0 4.4.2 timed out";
    case Fault::nonsense:
      return "later 0 4.5.0";
    case Fault::go_on:
      return stage == Stage::data ? "delivered" : "later 334 4.5.0 unexpected reply";
    case Fault::done:
      return "later 250 4.5.0 unexpected reply";
    case Fault::early:
    case Fault::none:
      return "";  // by where the extra reply hits
  }
  return "";
}

std::string outcome_of_case(const Way& way, Stage stage, Fault fault, int from, std::size_t segment, Scene& scene,
                            Server& server) {
  server.capabilities = way.capabilities;
  server.fault_stage = stage;
  server.fault = fault;
  server.fault_from = from;
  for (int i = 0; i < 3; ++i) scene.add(1, std::string(30, 'x') + "\r\n" + std::string(30, 'y') + "\r\n");
  run(scene, server, segment);
  return fate(*scene.letters[static_cast<std::size_t>(from - 1)]);
}

}  // namespace

TEST_CASE("each stage, each fault, each way of talking") {
  int cases = 0;
  for (const Way& way : kWays)
    for (const Stage stage : kStages)
      for (const Fault fault : kFaults)
        for (const int from : {1, 2})
          for (const std::size_t segment : {SIZE_MAX, std::size_t{1}}) {
            const bool once =
                stage == Stage::banner || stage == Stage::ehlo || stage == Stage::quit || stage == Stage::content;
            if (once && from > 1) continue;
            const bool chunking = View{way.capabilities}.find("CHUNKING") != View::npos;
            INFO(std::string(way.name), ", ", std::string(kStageNames[static_cast<int>(stage)]), ", ",
                 std::string(kFaultNames[static_cast<int>(fault)]));
            CAPTURE(from);
            CAPTURE(segment);
            Scene scene;
            Server server;
            const std::string was = outcome_of_case(way, stage, fault, from, segment, scene, server);
            ++cases;
            // No job is left in the session, whatever happened.
            for (const auto& letter : scene.letters) CHECK_FALSE(letter->taken);
            // Nothing is called delivered that the server did not keep.
            std::size_t delivered = 0;
            for (const auto& letter : scene.letters) delivered += letter->with("delivered");
            CHECK(delivered <= server.messages.size());
            const std::string want = expected(stage, fault, chunking);
            INFO("outcome: ", was, ", expected: ", want);
            // A later message on the same connection comes back when the peer leaves without a word about it.
            const bool stale = from == 2 && (fault == Fault::drop || fault == Fault::bye) && stage == Stage::mail;
            CHECK((stale ? was == "returned" : was.starts_with(want)));
          }
  CHECK(cases > 300);
}

TEST_CASE("replies in the middle of which the peer stops count no progress") {
  Scene scene;
  scene.start();
  const auto before = scene.session->progress();
  for (const char c : View{"220-hello"}) scene.hear({&c, 1});
  CHECK(scene.session->progress() == before);
  scene.hear("\r\n220 x\r\n");
  CHECK(scene.session->progress() == before + 1);
}

TEST_CASE("an endless reply is nonsense before it is long") {
  Scene scene;
  scene.start();
  std::size_t octets = 0;
  while (!scene.session->ended() && octets < 1'000'000) {
    scene.hear("220-more and more\r\n");
    octets += 19;
  }
  CHECK(octets < 100'000);
  message::Outcome outcome;
  CHECK(scene.session->refused(outcome));
}

TEST_CASE("octets behind the reply to QUIT are nobody's") {
  Scene scene;
  scene.start();
  scene.hear("220 s\r\n");
  scene.said();
  scene.hear("250 s\r\n");
  scene.session->quit();
  CHECK(scene.said() == "QUIT\r\n");
  scene.hear("221 bye\r\n250 and more\r\nHTTP/1.1\r\n");
  CHECK(scene.session->ended());
}

TEST_CASE("EHLO keywords in odd forms") {
  Scene scene;
  scene.add();
  scene.start();
  scene.hear("220-s\r\n220-\r\n220 s\r\n");
  scene.said();
  scene.hear("250-s\n250-pipelining\n250-SIZE\n250 size 0 extra\r\n");
  CHECK(scene.said() == "MAIL FROM:<from@example.org> SIZE=20\r\nRCPT TO:<to0@example.net>\r\nDATA\r\n");
}

}  // namespace ringpost::deliver::test
