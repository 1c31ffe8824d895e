// Bodies as they come in: DATA with its dots and its end (BodyScanner), BDAT and stored bodies (BodyCounter).
// The walk over octets is in walk.cpp; here is only what happens at a dot that begins a line.
#include "classify.h"
#include "ringpost/base/check.h"

namespace ringpost::smtp {

BodyScanner::BodyScanner(Simd simd) : classifier_(&detail::classifier(simd)) {}

void BodyScanner::reset() {
  state_ = {};
  place_ = Place::text;
}

//              dot that begins a line          CR                LF
//        text ------------------------> dot -------> dot_cr ----------> ended
//         ^  <---- any other octet ------+              |
//         +  <---- any other octet ---------------------+  (the CR was content)
BodyScanner::Run BodyScanner::next(View input) {
  CHECK(place_ != Place::ended);
  if (input.empty()) return {};
  if (place_ == Place::dot) return after_dot(input);
  if (place_ == Place::dot_cr) return after_dot_cr(input);
  const std::size_t walked = detail::walk(state_, *classifier_, input);
  if (walked == input.size()) return {input, walked, false};
  // RFC 5321 4.5.2: a dot that begins a line is never content, whether or not it ends the data.
  place_ = Place::dot;
  return {input.substr(0, walked), walked + 1, false};
}

BodyScanner::Run BodyScanner::after_dot(View input) {
  if (input.front() == '\r') {
    place_ = Place::dot_cr;
    return {{}, 1, false};
  }
  place_ = Place::text;
  if (input.front() == '.') {
    ++state_.facts.dot_lines;
    detail::step(state_);
    const std::size_t walked = 1 + detail::walk(state_, *classifier_, input.substr(1));
    if (walked == input.size()) return {input, walked, false};
    place_ = Place::dot;
    return {input.substr(0, walked), walked + 1, false};
  }
  state_.line_start = false;
  return next(input);
}

BodyScanner::Run BodyScanner::after_dot_cr(View input) {
  if (input.front() == '\n') {
    place_ = Place::ended;
    state_.facts.ends_with_crlf = state_.facts.octets > 0;
    return {{}, 1, true};
  }
  // The CR came with an earlier input, so it is handed out from here; the walk then finds that it stands bare.
  place_ = Place::text;
  detail::step(state_);
  state_.after_cr = true;
  return {"\r", 0, false};
}

BodyCounter::BodyCounter(Simd simd) : classifier_(&detail::classifier(simd)) {}

void BodyCounter::reset() { state_ = {}; }

void BodyCounter::take(View octets) {
  while (true) {
    octets.remove_prefix(detail::walk(state_, *classifier_, octets));
    if (octets.empty()) return;
    ++state_.facts.dot_lines;
    detail::step(state_);
    octets.remove_prefix(1);
  }
}

BodyFacts BodyCounter::facts() const {
  BodyFacts facts = state_.facts;
  facts.bare_cr |= state_.after_cr;
  facts.ends_with_crlf = state_.line_start && facts.octets > 0;
  return facts;
}

}  // namespace ringpost::smtp
