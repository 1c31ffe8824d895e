// A receive::Host in memory, for tests: it keeps what was committed, answers commits when it is told to, and can
// refuse, fill up or fail. Used by the dialogue player, the unit tests of receive and the fuzz target of the session.
#pragma once

#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ringpost/receive.h"

namespace ringpost::dialog {

// A content sink that gathers octets. With `full_at` it says full once when it has so many; with `fail_at` it fails
// there.
class MemorySink : public message::BodySink {
 public:
  static constexpr std::size_t kNever = SIZE_MAX;
  std::string content;
  std::size_t full_at = kNever;
  std::size_t fail_at = kNever;

  State push(View octets) override {
    if (content.size() + octets.size() > fail_at) return State::failed;
    content.append(octets);
    if (content.size() < full_at) return State::ok;
    full_at = kNever;
    full_ = true;
    return State::full;
  }
  void on_drained(void* owner, void (*drained)(void*)) override {
    owner_ = owner;
    drained_ = drained;
  }
  void drain() {
    if (std::exchange(full_, false) && drained_ != nullptr) drained_(owner_);
  }

 private:
  bool full_ = false;
  void* owner_ = nullptr;
  void (*drained_)(void*) = nullptr;
};

struct MemoryDraft : message::Draft {
  MemorySink sink;
};

class MemoryHost : public receive::Host {
 public:
  struct Kept {
    std::unique_ptr<MemoryDraft> draft;
    receive::Ticket ticket;
  };
  struct Refusal {
    std::string reverse_path, forward_path, text;
    std::uint16_t code = 0;
  };
  static constexpr WallTime kTime{1'764'066'000'000};

  // ---- what happens next
  bool refuse_begin = false;
  std::size_t full_at = MemorySink::kNever;  // of the sinks of drafts to come
  std::size_t fail_at = MemorySink::kNever;

  // ---- what happened
  std::deque<Kept> kept;                 // handed over for commit, oldest first; taken out by who looks at them
  std::vector<receive::Ticket> awaited;  // commits without an answer, oldest first
  std::vector<Refusal> refusals;
  std::size_t abandoned = 0;
  std::vector<std::unique_ptr<MemoryDraft>> open;

  WallTime wall() override { return kTime; }

  message::Draft* begin(receive::Refused&) override {
    if (refuse_begin) return nullptr;
    auto draft = std::make_unique<MemoryDraft>();
    draft->id = SpoolId::make(1, ++count_);
    draft->sink.full_at = full_at;
    draft->sink.fail_at = fail_at;
    draft->content = &draft->sink;
    open.push_back(std::move(draft));
    return open.back().get();
  }
  void commit(message::Draft& draft, receive::Ticket ticket) override {
    kept.push_back({take(draft), ticket});
    awaited.push_back(ticket);
  }
  void abandon(message::Draft& draft) override {
    take(draft);
    ++abandoned;
  }
  void refused(const SocketAddress&, View reverse_path, View forward_path, std::uint16_t code, smtp::EnhancedCode,
               View text) override {
    refusals.push_back({std::string{reverse_path}, std::string{forward_path}, std::string{text}, code});
  }

 private:
  std::unique_ptr<MemoryDraft> take(message::Draft& draft) {
    for (auto at = open.begin(); at != open.end(); ++at) {
      if (at->get() != &draft) continue;
      std::unique_ptr<MemoryDraft> found = std::move(*at);
      open.erase(at);
      return found;
    }
    RINGPOST_CHECK(false && "a draft that this host did not give, or that was given up before");
    return nullptr;
  }

  std::uint64_t count_ = 0;
};

}  // namespace ringpost::dialog
