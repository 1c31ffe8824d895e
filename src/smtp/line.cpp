// Lines of a command stream, and what is wrong with them. RFC 5321 2.3.8: CR and LF may come only together.
#include <algorithm>

#include "ringpost/smtp.h"

namespace ringpost::smtp {

Line LineScanner::next(View input) {
  std::size_t dropped = 0;
  if (dropping_) {
    dropped = drop(input);
    if (dropping_) return {LineKind::incomplete, {}, dropped};
  }
  Line line = look(input.substr(dropped));
  line.consumed += dropped;
  return line;
}

Line LineScanner::look(View input) {
  const View window = input.substr(0, limit_);
  const std::size_t lf = window.find('\n', looked_at_);
  const std::size_t end = lf == View::npos ? window.size() : lf;
  const std::size_t cr = window.substr(0, end).find('\r', looked_at_);
  if (cr != View::npos && cr + 1 == lf) {
    looked_at_ = 0;
    return {LineKind::complete, input.substr(0, cr), lf + 1};
  }
  if (cr != View::npos && cr + 1 < window.size()) return wrong(LineKind::bare_cr, input, cr + 1);
  if (lf != View::npos) return wrong(LineKind::bare_lf, input, lf + 1);
  // The octet at the limit may be the CR of the line end that comes too late.
  if (window.size() == limit_) return wrong(LineKind::too_long, input, limit_ - 1);
  looked_at_ = cr == View::npos ? window.size() : cr;
  return {};
}

// The line is reported now, and the rest of it, from `from` on, is dropped: here and in the calls to come.
Line LineScanner::wrong(LineKind kind, View input, std::size_t from) {
  looked_at_ = 0;
  dropping_ = true;
  return {kind, {}, from + drop(input.substr(from))};
}

// Octets to drop up to and with the line end; a CR at the end of the input stays, since its LF may follow.
std::size_t LineScanner::drop(View input) {
  const std::size_t end = input.find("\r\n");
  if (end != View::npos) {
    dropping_ = false;
    return end + 2;
  }
  return input.ends_with('\r') ? input.size() - 1 : input.size();
}

}  // namespace ringpost::smtp
