// Bodies: the same clean octets, end and facts however the input was cut and whatever instructions looked at it; and
// stuffing what was unstuffed ends where it should, with nothing changed in between.
#include <cstdint>
#include <string>

#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace {

using namespace ringpost;
using namespace ringpost::smtp;

struct Scan {
  std::string clean;
  std::size_t consumed = 0;
  bool ended = false;
  BodyFacts facts;
};

void scan(BodyScanner& scanner, View input, Scan& result) {
  while (!input.empty() && !result.ended) {
    const BodyScanner::Run run = scanner.next(input);
    CHECK(run.consumed <= input.size());
    CHECK(run.consumed > 0 || !run.clean.empty());
    result.clean += run.clean;
    result.consumed += run.consumed;
    result.ended = run.ended;
    input.remove_prefix(run.consumed);
  }
}

Scan scan_whole(View input, Simd simd) {
  BodyScanner scanner(simd);
  Scan result;
  scan(scanner, input, result);
  result.facts = scanner.facts();
  return result;
}

Scan scan_pieces(View input) {
  BodyScanner scanner;
  Scan result;
  for (fuzz::Pieces pieces(input); !pieces.done() && !result.ended;) scan(scanner, pieces.next(), result);
  result.facts = scanner.facts();
  return result;
}

void check_same(const Scan& a, const Scan& b) {
  CHECK(a.clean == b.clean);
  CHECK(a.consumed == b.consumed);
  CHECK(a.ended == b.ended);
  CHECK(a.facts.octets == b.facts.octets);
  CHECK(a.facts.bare_cr == b.facts.bare_cr);
  CHECK(a.facts.bare_lf == b.facts.bare_lf);
  CHECK(a.facts.nul == b.facts.nul);
  CHECK(a.facts.eight_bit == b.facts.eight_bit);
  CHECK(a.facts.dot_lines == b.facts.dot_lines);
  CHECK(a.facts.longest_line == b.facts.longest_line);
}

std::string stuffed(View body) {
  DotStuffer stuffer;
  std::string out;
  while (!body.empty()) {
    const View segment = stuffer.next(body);
    CHECK(!segment.empty());
    out += segment;
  }
  return out += stuffer.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input(reinterpret_cast<const char*>(data), size);
  const Scan best = scan_whole(input, Simd::best);
  for (const Simd simd : {Simd::avx2, Simd::sse2, Simd::scalar})
    if (simd_available(simd)) check_same(best, scan_whole(input, simd));
  check_same(best, scan_pieces(input));
  if (best.ended) CHECK(best.facts.octets == best.clean.size());

  BodyCounter counter;
  counter.take(input);
  // A body with a lone line end cannot be sent by DATA as it is: it was refused at the door.
  if (counter.facts().bare()) return 0;
  const Scan round = scan_whole(stuffed(input), Simd::best);
  CHECK(round.ended);
  const bool complete = input.empty() || counter.facts().ends_with_crlf;
  CHECK(round.clean == (complete ? std::string(input) : std::string(input) + "\r\n"));
  return 0;
}
