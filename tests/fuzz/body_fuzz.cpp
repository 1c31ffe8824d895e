// Bodies: the scanner, the counter and the stuffer, on each instruction set, with the input whole and in pieces,
// against the octet-by-octet oracle.
#include <cstdint>
#include <string>
#include <vector>

#include "../unit/smtp_body_oracle.h"
#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace {

using ringpost::View;
namespace smtp = ringpost::smtp;

// Each piece is a string of its own, so that the sanitizer sees a look past its end.
using Cut = std::vector<std::string>;

Cut cut(View whole) {
  Cut parts;
  for (ringpost::fuzz::Pieces pieces(whole); !pieces.done();) parts.emplace_back(pieces.next());
  return parts;
}

void check_scanner(const Cut& pieces, const oracle::Data& expected, smtp::Simd simd) {
  smtp::BodyScanner scanner(simd);
  oracle::Data got;
  for (const std::string& piece : pieces) {
    for (View input = piece; !input.empty() && !got.ended;) {
      const auto run = scanner.next(input);
      CHECK(run.consumed > 0 || !run.clean.empty());
      got.clean += run.clean;
      got.consumed += run.consumed;
      got.ended = run.ended;
      input.remove_prefix(run.consumed);
    }
  }
  CHECK(got.ended == expected.ended);
  CHECK(got.consumed == expected.consumed);
  CHECK(got.clean == expected.clean);
  CHECK(!got.ended || oracle::same(scanner.facts(), oracle::facts(expected.clean)));
}

void check_counter(const Cut& pieces, View body, smtp::Simd simd) {
  smtp::BodyCounter counter(simd);
  for (const std::string& piece : pieces) counter.take(piece);
  CHECK(oracle::same(counter.facts(), oracle::facts(body)));
}

void check_stuffer(const Cut& pieces, View body, smtp::Simd simd) {
  smtp::DotStuffer stuffer(oracle::facts(body).dot_lines > 0, simd);
  std::string sent;
  for (const std::string& piece : pieces)
    for (View rest = piece; !rest.empty();) sent += stuffer.next(rest);
  sent += stuffer.end();
  CHECK(sent == oracle::stuffed(body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input(reinterpret_cast<const char*>(data), size);
  const oracle::Data expected = oracle::read_data(input);
  for (const smtp::Simd simd : {smtp::Simd::avx2, smtp::Simd::sse2, smtp::Simd::scalar}) {
    if (!smtp::simd_available(simd)) continue;
    for (const Cut& pieces : {Cut{std::string(input)}, cut(input)}) {
      check_scanner(pieces, expected, simd);
      check_counter(pieces, input, simd);
      check_stuffer(pieces, input, simd);
    }
  }
  return 0;
}
