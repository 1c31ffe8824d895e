// The scene and the server of the client session's tests, and that the server notices what a client must not do.
#include "deliver_scene.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace ringpost::deliver::test {

Letter::Letter(std::uint64_t number, std::size_t count, std::string content, View from) {
  envelope.set_reverse_path(from);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = "to" + std::to_string(i) + "@example.net";
    envelope.add_recipient(path, 11, 0, {});
    recipients.push_back(static_cast<std::uint32_t>(i));
  }
  source.text = std::move(content);
  facts.size = source.text.size();
  for (std::size_t at = 0; at < source.text.size(); ++at)
    if (source.text[at] == '.' && (at == 0 || source.text[at - 1] == '\n')) ++facts.dot_lines;
  facts.ends_with_crlf = source.text.ends_with("\r\n");
  job = {SpoolId{number}, DestinationId{1}, &envelope, &facts, recipients, &source};
  outcomes.resize(count);
}

std::size_t Letter::with(View prefix) const {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [&](const std::string& o) { return o.starts_with(prefix); }));
}

Letter& Scene::add(std::size_t recipients, std::string content) {
  letters.push_back(std::make_unique<Letter>(letters.size() + 1, recipients, std::move(content)));
  Letter& added = *letters.back();
  added.job.recipients = added.recipients;
  added.job.envelope = &added.envelope;
  return added;
}

std::string Scene::said() {
  std::string all;
  for (;;) {
    const auto pieces = session->output();
    std::size_t octets = 0;
    for (const iovec& piece : pieces) {
      REQUIRE(piece.iov_len > 0);
      all.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      octets += piece.iov_len;
    }
    if (octets == 0) return all;
    REQUIRE(pieces.size() <= ring::kSendPieces);
    session->sent(octets);
  }
}

bool Scene::dialogue(View expected, View reply) {
  const std::string was = said();
  CHECK(was == std::string(expected));
  hear(reply);
  return was == expected;
}

Job* Scene::next() {
  while (next_letter < letters.size()) {
    Letter& letter = *letters[next_letter++];
    if (letter.over() || letter.taken) continue;
    letter.taken = true;
    return &letter.job;
  }
  return nullptr;
}

Letter& Scene::letter_of(Job& job) {
  for (auto& letter : letters)
    if (&letter->job == &job) {
      REQUIRE(letter->taken);
      return *letter;
    }
  FAIL("a job that is nobody's");
  return *letters.front();
}

void Letter::note(std::uint32_t recipient, const message::Outcome& outcome) {
  REQUIRE(outcomes.at(recipient).empty());
  using Kind = message::Outcome::Kind;
  const View kind = outcome.kind == Kind::delivered ? "delivered" : outcome.kind == Kind::later ? "later" : "never";
  char room[smtp::EnhancedCode::kTextLength];
  outcomes[recipient] = std::string(kind) + " " + std::to_string(outcome.code) + " " +
                        std::string(outcome.enhanced.write(room)) + " " + std::string(outcome.text);
}

void Scene::outcome(Job& job, std::uint32_t recipient, const message::Outcome& outcome) {
  letter_of(job).note(recipient, outcome);
}

void Scene::done(Job& job) {
  Letter& letter = letter_of(job);
  for (const std::uint32_t recipient : letter.recipients) REQUIRE_FALSE(letter.outcomes[recipient].empty());
  letter.taken = false;
  letter.done = true;
}

void Scene::returned(Job& job) {
  Letter& letter = letter_of(job);
  for (const std::string& outcome : letter.outcomes) REQUIRE(outcome.empty());
  letter.taken = false;
  ++letter.returned;
  if (requeue) next_letter = 0;
}

// ---- the server

bool Server::faulty(Stage stage) {
  const int times = ++counts_[static_cast<int>(stage)];
  return fault != Fault::none && stage == fault_stage && times >= fault_from;
}

std::string Server::reply(Stage stage, std::string normal) {
  if (!faulty(stage)) return normal;
  switch (fault) {
    case Fault::none:
      return normal;
    case Fault::drop:
      closed = true;
      return {};
    case Fault::later:
      return "450 4.3.2 try again\r\n";
    case Fault::never:
      return "550 5.7.1 go away\r\n";
    case Fault::bye:
      closed = true;
      return "421 4.3.2 closing\r\n";
    case Fault::hang:
      silent = true;
      return {};
    case Fault::nonsense:
      return "HTTP/1.1 400 Bad Request\r\n";
    case Fault::drip:
      silent = true;
      return normal.substr(0, 2);  // and no more, in effect
    case Fault::early:
      return normal + "250 2.0.0 and one more\r\n";
    case Fault::go_on:
      return "334 go on\r\n";
    case Fault::done:
      return "250 2.0.0 done\r\n";
  }
  return normal;
}

std::string Server::greet() { return reply(Stage::banner, "220 server.example ESMTP\r\n"); }

std::string Server::take(View octets) {
  std::string out;
  in_ += octets;
  while (!closed && !silent && !in_.empty()) {
    if (place_ != Place::commands) {
      const std::size_t before = in_.size();
      out += place_ == Place::data ? take_data() : take_chunk();
      if (in_.size() == before) break;
      continue;
    }
    const std::size_t end = in_.find("\r\n");
    if (end == std::string::npos) break;
    const std::string line = in_.substr(0, end);
    in_.erase(0, end + 2);
    commands.push_back(line);
    out += command(line);
  }
  return out;
}

std::string Server::command(View line) {
  if (quit_) breaches.push_back("a command after QUIT");
  if (line.starts_with("EHLO ") || line.starts_with("HELO ")) return ehlo(line);
  if (!greeted_) breaches.push_back("a command before EHLO");
  if (line.starts_with("MAIL FROM:<")) return mail(line);
  if (line.starts_with("RCPT TO:<")) return rcpt(line);
  if (line == "DATA") return data();
  if (line.starts_with("BDAT ") && knows_bdat) return bdat(line);
  if (line == "RSET") {
    end_of_transaction();
    return reply(Stage::rset, "250 2.0.0 reset\r\n");
  }
  if (line == "QUIT") {
    quit_ = true;
    if (!in_.empty()) breaches.push_back("octets behind QUIT");
    const std::string out = reply(Stage::quit, "221 2.0.0 bye\r\n");
    if (!silent) closed = true;
    return out;
  }
  if (!knows_bdat) return "502 5.5.1 not implemented\r\n";
  breaches.push_back("unknown command: " + std::string(line));
  return "500 5.5.2 what\r\n";
}

std::string Server::ehlo(View line) {
  if (line.starts_with("EHLO ") && capabilities == "HELO") return "502 5.5.1 no\r\n";
  std::string text = "250";
  std::string rest = line.starts_with("EHLO ") ? capabilities : "";
  std::string out;
  std::string current = "server.example";
  while (!rest.empty()) {
    out += "250-" + current + "\r\n";
    const std::size_t end = rest.find("\r\n");
    current = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(end + 2);
  }
  out += "250 " + current + "\r\n";
  greeted_ = true;
  return reply(Stage::ehlo, out);
}

std::string Server::mail(View line) {
  if (open_) {
    breaches.push_back("MAIL inside a transaction");
    return "503 5.5.1 nested\r\n";
  }
  const std::string out = reply(Stage::mail, "250 2.1.0 ok\r\n");
  if (out.starts_with("250 2.1.0") || out.starts_with("250 2.0.0")) {
    open_ = true;
    now_.from = line.substr(11, line.find('>') - 11);
  }
  return out;
}

std::string Server::rcpt(View line) {
  if (!open_) return "503 5.5.1 MAIL first\r\n";
  if (now_.to.size() >= recipients_most) return "452 4.5.3 too many\r\n";
  const auto planned = rcpt_replies.find(std::string(line.substr(9, line.find('>') - 9)));
  if (planned != rcpt_replies.end()) return planned->second;
  const std::string out = reply(Stage::rcpt, "250 2.1.5 ok\r\n");
  if (out.starts_with("250 ")) now_.to.emplace_back(line.substr(9, line.find('>') - 9));
  return out;
}

std::string Server::data() {
  if (!in_.empty()) breaches.push_back("octets behind DATA before the 354");
  if (now_.to.empty() && !opens_data_always) return open_ ? "554 5.5.1 no recipients\r\n" : "503 5.5.1 MAIL first\r\n";
  const std::string out = reply(Stage::data, "354 go\r\n");
  if (out.starts_with("3")) place_ = Place::data;
  return out;
}

std::string Server::bdat(View line) {
  chunk_last_ = line.ends_with(" LAST");
  chunk_left_ = std::stoul(std::string(line.substr(5)));
  chunk_wanted_ = open_ && !now_.to.empty();
  chunks_begun_ = true;
  place_ = Place::chunk;
  return take_chunk();
}

std::string Server::take_chunk() {
  const std::size_t took = std::min(chunk_left_, in_.size());
  if (dies_in_content()) return {};
  now_.content += in_.substr(0, took);
  in_.erase(0, took);
  chunk_left_ -= took;
  if (chunk_left_ > 0) return {};
  place_ = Place::commands;
  if (!chunk_wanted_) {
    if (chunk_last_) end_of_transaction();
    return "503 5.5.1 no recipients\r\n";
  }
  if (!chunk_last_) return "250 2.0.0 chunk\r\n";
  return finish();
}

std::string Server::take_data() {
  if (dies_in_content()) return {};
  std::string unstuffed;
  std::size_t at = 0;
  for (;;) {
    const std::size_t end = in_.find("\r\n", at);
    if (end == std::string::npos) break;
    std::string line = in_.substr(at, end + 2 - at);
    at = end + 2;
    if (line == ".\r\n") {
      in_.erase(0, at);
      now_.content += unstuffed;
      place_ = Place::commands;
      return finish();
    }
    unstuffed += line.starts_with(".") ? line.substr(1) : line;
  }
  now_.content += unstuffed;
  in_.erase(0, at);
  return {};
}

bool Server::dies_in_content() {
  if (in_.empty() || !faulty(Stage::content)) return false;
  closed = fault == Fault::drop;
  silent = fault == Fault::hang;
  return closed || silent;
}

std::string Server::finish() {
  if (now_.to.empty()) {
    if (!now_.content.empty()) breaches.push_back("a content for nobody");
    end_of_transaction();
    return "554 5.5.1 no recipients\r\n";
  }
  const std::string out = reply(Stage::end, "250 2.6.0 kept\r\n");
  if (out.starts_with("250 ")) messages.push_back(now_);
  end_of_transaction();
  return out;
}

void Server::end_of_transaction() {
  now_ = {};
  open_ = chunks_begun_ = false;
}

void run(Scene& scene, Server& server, std::size_t segment) {
  scene.start();
  std::string to_client = server.greet();
  for (int turn = 0; turn < 100'000; ++turn) {
    const bool spoke = !to_client.empty();
    for (std::size_t at = 0; at < to_client.size() && !scene.session->ended(); at += segment)
      scene.hear(View{to_client}.substr(at, std::min(segment, to_client.size() - at)));
    to_client.clear();
    if (scene.session->ended()) return scene.session->broken("ended");
    if (server.closed) return scene.session->broken("connection closed");
    const std::string from_client = scene.said();
    for (std::size_t at = 0; at < from_client.size(); at += segment)
      to_client += server.take(View{from_client}.substr(at, segment));
    if (!spoke && from_client.empty() && to_client.empty() && !server.closed) {
      scene.session->timed_out();
      if (!scene.session->ended() && scene.said().empty()) return;
      if (!scene.session->ended()) to_client += server.take("QUIT\r\n");
    }
  }
  FAIL("no end");
}

TEST_CASE("the server of these tests notices each breach of the protocol") {
  for (const View said :
       {View{"MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n"}, View{"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx"},
        View{"QUIT\r\nNOOP\r\n"}, View{"HELP\r\n"}}) {
    Server server;
    server.greet();
    server.take("EHLO x\r\n");
    CHECK(server.breaches.empty());
    server.take(said);
    CHECK_FALSE(server.breaches.empty());
  }
}

}  // namespace ringpost::deliver::test
