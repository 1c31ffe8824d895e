// The story of a simulated run.
#include "trace.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include "ringpost/base/crc32c.h"

namespace ringpost::sim {

Trace::Line& Trace::next_line(Instant when) {
  Line& line = ring_[count_++ % kKept];
  line.when = when;
  mix(static_cast<std::uint64_t>(when.nanoseconds));
  return line;
}

void Trace::add(Instant when, int who, const char* what, std::uint64_t a, std::uint64_t b) {
  Line& line = next_line(when);
  line.who = who;
  line.what = what;
  line.a = a;
  line.b = b;
  line.text.clear();
  mix(crc32c(what) ^ (static_cast<std::uint64_t>(who + 1) << 32));
  mix(a);
  mix(b);
  if (show_) std::fprintf(stderr, "%s\n", render(line).c_str());
}

void Trace::note(Instant when, std::string text) {
  Line& line = next_line(when);
  line.who = kWorld;
  line.what = "";
  mix(crc32c(text));
  line.text = std::move(text);
  if (show_) std::fprintf(stderr, "%s\n", render(line).c_str());
}

std::string Trace::render(const Line& line) {
  char head[64];
  std::snprintf(head, sizeof head, "%14.6f ", static_cast<double>(line.when.nanoseconds) / 1e9);
  std::string text = head;
  if (line.who != kWorld) text += "core " + std::to_string(line.who) + ": ";
  if (!line.text.empty()) return text + line.text;
  return text + line.what + " " + std::to_string(line.a) + " " + std::to_string(line.b);
}

std::vector<std::string> Trace::last(std::size_t lines) const {
  std::vector<std::string> out;
  const std::uint64_t kept = std::min<std::uint64_t>({count_, kKept, lines});
  for (std::uint64_t i = count_ - kept; i < count_; ++i) out.push_back(render(ring_[i % kKept]));
  return out;
}

}  // namespace ringpost::sim
