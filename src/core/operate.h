// Operate: the operator's commands. On core 0 it is control's Host: it checks a request, sends it round as a Query, and
// says the answer as the client reads it; on every core it keeps that core's works. Owned by Core. One thread.
//
//   request ── execute ──> Query ── mail ──> Work on each core ── pages, by mail ──> merged on core 0 ──> Reply
//
// A query ends when each of its parts has finished; at the end of a core its parts finish at once, and a core that has
// ended is asked no more.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "core/dispatch.h"
#include "core/query.h"
#include "core/rooms.h"
#include "core/settle.h"
#include "core/work.h"

namespace ringpost::core {

class Operate : public control::Host {
 public:
  Operate(Rooms& rooms, Dispatch& dispatch, Settle& settle);
  ~Operate() override;

  // control::Host, on core 0.
  void execute(const control::Request&, std::shared_ptr<control::Reply>) override;

  // ---- letters
  void answer(Query&);             // a query to work on, or one that wants its next page
  void part_done(Query&, CoreId);  // a part came back, to core 0
  void core_ended(CoreId);         // to core 0: it sends nothing back any more

  // The core ends: works break off, and what is asked from now on finishes at once.
  void stop();
  [[nodiscard]] bool idle() const { return works_.empty() && queries_.empty(); }

 private:
  Work* work_of(const Query&) const;
  void send_back(Query&);
  void finished(Work&);

  // ---- core 0's
  struct Asked;
  [[nodiscard]] bool is_destination(View name) const;
  void name_destination(std::string& name) const;
  void ask(Asked&, CoreId);
  void advance(Asked&);
  void merge(Asked&);
  bool make_answer(Asked&);
  void say_answer(Asked&);
  void end(Asked&, const std::function<void(control::Reply&)>& how);
  void stop_parts(Asked&);
  void tell_command(const Query&, std::uint64_t affected);

  Rooms& rooms_;
  Workshop shop_;
  Instant started_;
  std::list<std::unique_ptr<Work>> works_;
  std::list<std::unique_ptr<Asked>> queries_;
  std::vector<bool> ended_;  // cores
  bool stopping_ = false;
};

}  // namespace ringpost::core
