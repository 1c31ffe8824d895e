// Operate: the operator's commands. On core 0 it is control's Host: it checks a request, sends it round as a Query and
// writes the answer; on every core it answers that core's part. Owned by Core. One thread.
#pragma once

#include <list>
#include <memory>

#include "core/dispatch.h"
#include "core/query.h"
#include "core/rooms.h"
#include "core/settle.h"

namespace ringpost::core {

class Operate : public control::Host {
 public:
  Operate(Rooms& rooms, Dispatch& dispatch, Settle& settle);
  ~Operate() override;

  // control::Host, on core 0.
  void execute(const control::Request&, std::shared_ptr<control::Reply>) override;
  // A part came back to core 0.
  void part_done(Query&);
  // This core's part of a query; it goes back by mail.
  void answer(Query&);
  [[nodiscard]] bool idle() const { return tasks_.empty(); }

 private:
  class Task;

  void status(Part&) const;
  void destinations(Part&) const;
  void flush(const Query&, Part&);
  [[nodiscard]] std::vector<SpoolId> chosen(const Query&) const;
  void send_back(Query&);
  void write_answer(const Query&);
  void write_lines(const Query&);
  void write_status(const Query&);
  void write_queue(const Query&);

  Rooms& rooms_;
  Dispatch& dispatch_;
  Settle& settle_;
  Instant started_;
  std::list<std::unique_ptr<Task>> tasks_;
};

}  // namespace ringpost::core
