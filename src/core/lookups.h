// Questions over all cores: each has a home core, by the hash of name and type, whose Resolver asks it and keeps the
// answer. So one process never asks the same question twice while the answer holds, and nothing but the question
// crosses cores. Owned by Core. Private to core; one thread, but for the Board.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "ringpost/config.h"
#include "ringpost/core.h"
#include "ringpost/dns.h"
#include "ringpost/ring.h"

namespace ringpost::core {

// Where questions and answers lie while a letter with their number is on its way: a letter that is lost with its
// process leaves nothing behind. Any thread.
class Board {
 public:
  struct Entry {
    std::string name;
    dns::Type type = dns::Type::a;
    dns::AnswerPointer answer;
  };
  void put(std::uint64_t number, Entry entry);
  std::optional<Entry> look(std::uint64_t number);
  void answer(std::uint64_t number, dns::AnswerPointer answer);
  std::optional<Entry> take(std::uint64_t number);

 private:
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Entry> entries_;
};

class Lookups final : public dns::Lookup {
 public:
  Lookups(ring::Ring&, const config::Config&, std::shared_ptr<Board>);
  ~Lookups() override;

  void lookup(dns::Query& query, View name, dns::Type type) override;
  // Letters of other cores, with the number on the board.
  void asked(CoreId by, std::uint64_t number);
  void answered(std::uint64_t number);

  void reconfigure(const config::Config&);
  // Begins nothing any more, and tells other cores that wait that there is no answer.
  void stop();
  [[nodiscard]] bool idle() const { return resolver_.idle(); }
  [[nodiscard]] const dns::Resolver& resolver() const { return resolver_; }

 private:
  struct Remote;
  struct Asked {
    List<dns::Query, dns::Query> waiting;
    std::uint64_t number = 0;
  };
  [[nodiscard]] CoreId home_of(View normal, dns::Type type) const;
  void reply(Remote&, const dns::AnswerPointer&);

  ring::Ring& ring_;
  std::shared_ptr<Board> board_;
  dns::Resolver resolver_;
  std::unordered_map<std::string, std::unique_ptr<Asked>> asked_;       // of other cores, by name and type
  std::unordered_map<std::uint64_t, std::string> keys_;                 // of asked_, by number
  std::unordered_map<std::uint64_t, std::unique_ptr<Remote>> remotes_;  // other cores' questions to this one
  std::uint64_t next_number_ = 0;
  bool stopped_ = false;
};

}  // namespace ringpost::core
