// Server: the admin socket's sessions. Owned by core 0's Core. A session reads a line, has it executed, and reads the
// next one when the answer has ended; what it answers waits in a buffer of its own, and a Reply is full while that
// holds much.
#include <cerrno>
#include <list>
#include <utility>

#include "control/request.h"
#include "ringpost/control.h"

namespace ringpost::control {
namespace {

constexpr std::size_t kSendAtOnce = 256 * 1024;           // octets of one send
constexpr std::size_t kFullEnds = kAnswerWaiting / 2;     // octets waiting at which a full reply goes on
constexpr std::size_t kInputWaiting = 16 * kRequestLine;  // octets of requests sent ahead

}  // namespace

class ServerSession;

// Stays with whoever answers; `session` is cleared when the client is gone.
class SessionReply : public Reply {
 public:
  explicit SessionReply(ServerSession& session) : session_(&session) {}
  void line(View json_object) override;
  void done(View after) override;
  void error(Fault fault, View text) override;
  [[nodiscard]] bool abandoned() const override { return session_ == nullptr; }
  [[nodiscard]] bool full() const override;
  void on_moved(void* owner, void (*moved)(void* owner)) override {
    owner_ = owner;
    moved_ = moved;
  }
  void forget() { session_ = nullptr; }
  void tell_moved() {
    if (moved_ != nullptr) moved_(owner_);
  }

 private:
  ServerSession* session_;
  void* owner_ = nullptr;
  void (*moved_)(void*) = nullptr;
};

struct Server::Parts {
  Parts(ring::Ring& the_ring, std::string the_path, Host& the_host)
      : ring(the_ring), path(std::move(the_path)), host(the_host), accept_op(this, ring::handler<&Parts::on_accept>) {}

  void on_accept(const ring::Completion& done);
  void reap(ServerSession& session);

  ring::Ring& ring;
  std::string path;
  Host& host;
  ring::Socket listener;
  ring::Operation accept_op;
  bool closing = false;
  std::list<ServerSession> sessions;
};

class ServerSession {
 public:
  ServerSession(Server::Parts& server, ring::Socket socket)
      : server_(server),
        socket_(socket),
        receive_op_(this, ring::handler<&ServerSession::on_receive>),
        send_op_(this, ring::handler<&ServerSession::on_sent>),
        idle_timer_(this, ring::call<&ServerSession::end>),
        flush_(this, ring::call<&ServerSession::flush>) {
    server_.ring.receive(receive_op_, socket_);
    server_.ring.arm(idle_timer_, kSessionIdle);
  }
  ~ServerSession() {
    abandon();
    server_.ring.close(socket_);
  }

  void write(View line) {
    if (ending_) return;
    waiting_.append(line);
    waiting_.push_back('\n');
    full_ |= waiting_.size() >= kAnswerWaiting;
    server_.ring.defer(flush_);
  }
  void answered() {
    reply_->forget();
    reply_.reset();
    if (server_.closing) return finish();
    server_.ring.defer(flush_);
  }
  // No more requests: the connection closes when what is answered has been sent, or when that takes too long.
  void finish() {
    finishing_ = true;
    server_.ring.arm(idle_timer_, kEndGrace);
    server_.ring.defer(flush_);
  }
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] bool busy() const { return reply_ != nullptr; }
  [[nodiscard]] bool gone() const { return ending_ && !receive_op_.in_kernel() && !send_op_.in_kernel(); }

 private:
  void on_receive(const ring::Completion& done) {
    input_.append(done.received);
    if (input_.size() > kRequestLine && input_.find('\n') == std::string::npos) too_long();
    if (done.final) {
      peer_done_ = true;  // a client may close its side after its last request and still read the answers
      if (done.result < 0 && done.result != -ECANCELED) end();
    }
    if (input_.size() > kInputWaiting) end();
    server_.ring.defer(flush_);
    if (gone()) server_.reap(*this);
  }

  void on_sent(const ring::Completion& done) {
    if (done.result < 0) end();
    if (gone()) return server_.reap(*this);
    if (!finishing_) idle_timer_.disarm();
    server_.ring.defer(flush_);
  }

  // Next request, next send, or the end: whatever is due.
  void flush() {
    while (!busy() && !full_ && !finishing_ && !ending_ && next_request()) {
    }
    if (!ending_ && !send_op_.in_kernel() && !waiting_.empty()) {
      sending_.assign(waiting_, 0, kSendAtOnce);
      waiting_.erase(0, sending_.size());
      const iovec piece{sending_.data(), sending_.size()};
      server_.ring.send(send_op_, socket_, {&piece, 1});
      if (!finishing_) server_.ring.arm(idle_timer_, kUnread);
    }
    if (!ending_ && !busy() && !idle_timer_.armed()) server_.ring.arm(idle_timer_, kSessionIdle);
    if (full_ && waiting_.size() <= kFullEnds) {
      full_ = false;
      if (busy()) reply_->tell_moved();
    }
    const bool all_said = waiting_.empty() && !send_op_.in_kernel() && !busy();
    if (all_said && (finishing_ || peer_done_)) end();
    if (gone()) server_.reap(*this);
  }

  // Where the next request begins is not known any more. Always false.
  bool too_long() {
    write(error_line(Fault::usage, "request line too long"));
    finish();
    return false;
  }

  bool next_request() {
    const std::size_t end_of_line = input_.find('\n');
    if (end_of_line == std::string::npos) return false;
    const std::string line = input_.substr(0, end_of_line);
    if (line.size() > kRequestLine) return too_long();
    input_.erase(0, end_of_line + 1);
    reply_ = std::make_shared<SessionReply>(*this);
    idle_timer_.disarm();
    const auto reply = reply_;  // answering ends the session's own hold
    const auto request = parse_request(line);
    if (!request)
      reply->error(Fault::usage, request.error().text);
    else
      server_.host.execute(*request, reply);
    return true;
  }

  // Whoever works on the answer stops at its next look.
  void abandon() {
    if (!reply_) return;
    const auto reply = std::exchange(reply_, nullptr);
    reply->forget();
    reply->tell_moved();
  }

  void end() {
    ending_ = true;
    idle_timer_.disarm();
    abandon();
    if (receive_op_.in_kernel()) server_.ring.cancel(receive_op_);
    if (send_op_.in_kernel()) server_.ring.cancel(send_op_);
    server_.ring.defer(flush_);
  }

  Server::Parts& server_;
  ring::Socket socket_;
  ring::Operation receive_op_, send_op_;
  ring::Timer idle_timer_;
  ring::Deferred flush_;
  std::string input_;
  std::string waiting_, sending_;
  std::shared_ptr<SessionReply> reply_;
  bool full_ = false;
  bool finishing_ = false;
  bool peer_done_ = false;
  bool ending_ = false;
};

void SessionReply::line(View json_object) {
  if (session_ != nullptr) session_->write(json_object);
}

void SessionReply::done(View after) {
  if (session_ == nullptr) return;
  session_->write(done_line(after));
  session_->answered();
}

void SessionReply::error(Fault fault, View text) {
  if (session_ == nullptr) return;
  session_->write(error_line(fault, text));
  session_->answered();
}

bool SessionReply::full() const { return session_ != nullptr && session_->full(); }

void Server::Parts::on_accept(const ring::Completion& done) {
  if (done.final) ring.close(std::exchange(listener, {}));
  if (done.result < 0) return;
  if (closing || sessions.size() >= kSessions) return ring.close(ring::Socket{done.result});
  sessions.emplace_back(*this, ring::Socket{done.result});
}

void Server::Parts::reap(ServerSession& session) {
  std::erase_if(sessions, [&](const ServerSession& each) { return &each == &session; });
}

Server::Server(ring::Ring& ring, std::string path, Host& host)
    : parts_(std::make_unique<Parts>(ring, std::move(path), host)) {}

Server::~Server() = default;

Result<void> Server::listen() {
  auto listener = parts_->ring.listen_local(parts_->path);
  if (!listener) return std::unexpected(listener.error());
  parts_->listener = *listener;
  parts_->ring.accept(parts_->accept_op, parts_->listener);
  return {};
}

void Server::close() {
  Parts& p = *parts_;
  p.closing = true;
  if (p.accept_op.in_kernel()) p.ring.cancel(p.accept_op);
  if (p.listener.open()) static_cast<void>(p.ring.files().remove(p.path));
  for (ServerSession& session : p.sessions)
    if (!session.busy()) session.finish();
}

bool Server::idle() const { return parts_->sessions.empty() && !parts_->accept_op.in_kernel(); }

}  // namespace ringpost::control
