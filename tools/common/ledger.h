// A ledger: one JSON line for each thing that happened, appended to a file. The lines of one turn of the loop are
// written by one call, and before what they say becomes known to a peer: so a tool that is killed has told nobody of
// anything that its ledger does not hold. Made for the hot path: no allocation once its buffer has grown.
#pragma once

#include <cstdint>
#include <string>

#include "ringpost/base/bytes.h"
#include "ringpost/base/fd.h"
#include "ringpost/base/result.h"

namespace ringpost::tools {

class Ledger {
 public:
  // Appends to `path`, which is created when missing. Without open() the ledger is off and lines cost nothing.
  Result<void> open(const std::string& path);
  [[nodiscard]] bool on() const { return file_.valid(); }

  // A line: begin, fields in any order, end.
  void begin() { lines_ += '{'; }
  void text(View key, View value);  // octets that are no UTF-8 are written as if they were Latin-1
  void number(View key, std::uint64_t value);
  void real(View key, double value);  // three decimals
  void truth(View key, bool value);
  void open_list(View key);
  void item(View value);
  void close_list();
  void end();

  // Writes what was ended. A disk that takes no more ends the process: a ledger with holes proves nothing.
  void flush();
  [[nodiscard]] const std::string& unwritten() const { return lines_; }  // for tests, with the ledger off

 private:
  void key(View name);
  void quoted(View value);

  Fd file_;
  std::string lines_;
};

}  // namespace ringpost::tools
