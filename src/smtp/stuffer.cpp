// Bodies as they go out by DATA: RFC 5321 4.5.2, a dot before each line that begins with one, and the end of data.
#include "classify.h"
#include "ringpost/base/check.h"

namespace ringpost::smtp {

DotStuffer::DotStuffer(bool has_dot_lines, Simd simd)
    : classifier_(&detail::classifier(simd)), has_dot_lines_(has_dot_lines) {}

void DotStuffer::reset(bool has_dot_lines) {
  state_ = {};
  has_dot_lines_ = has_dot_lines;
  dot_sent_ = false;
}

View DotStuffer::next(View& piece) {
  CHECK(!piece.empty());
  std::size_t length = 0;
  if (!has_dot_lines_) {
    pass(piece);
    length = piece.size();
  } else {
    if (dot_sent_) {
      dot_sent_ = false;
      detail::step(state_);
      length = 1;
    }
    length += detail::walk(state_, *classifier_, piece.substr(length));
    if (length == 0) {
      dot_sent_ = true;
      return ".";
    }
  }
  const View segment = piece.substr(0, length);
  piece.remove_prefix(length);
  return segment;
}

// Keeps only what end() asks: whether the last two octets were CRLF.
void DotStuffer::pass(View piece) {
  const bool cr_before_last = piece.size() > 1 ? piece[piece.size() - 2] == '\r' : state_.after_cr;
  state_.line_start = piece.back() == '\n' && cr_before_last;
  state_.after_cr = piece.back() == '\r';
}

// RFC 5321 4.1.1.4: the CRLF that ends the last line is the first of CRLF.CRLF; one is added only where it lacks.
View DotStuffer::end() const { return state_.line_start ? View{".\r\n"} : View{"\r\n.\r\n"}; }

}  // namespace ringpost::smtp
