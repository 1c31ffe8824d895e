// Writing and reading the fixed parts of the format: little-endian integers at fixed offsets, each part behind its
// checksum.
#include "spool/format.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "ringpost/base/crc32c.h"

namespace ringpost::spool {

namespace {

constexpr View kSegmentMagic{"RINGPOST", 8};
constexpr std::size_t kHeaderChecksumAt = 96;  // covers all octets before it; the rest of the copy is zero
constexpr std::size_t kHeaderVersionAt = 8;

template <class T>
char* put(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

template <class T>
T get(View octets, std::size_t at) {
  T value;
  std::memcpy(&value, octets.data() + at, sizeof value);
  return value;
}

std::uint32_t seed_of(std::uint64_t secret) { return static_cast<std::uint32_t>(secret ^ (secret >> 32)); }

char* put_place(char* at, const Place& place) {
  at = put(at, place.segment);
  at = put(at, place.life);
  return put(at, place.offset);
}

Place get_place(View octets, std::size_t at) {
  return {get<std::uint64_t>(octets, at), get<std::uint64_t>(octets, at + 8), get<std::uint64_t>(octets, at + 16)};
}

bool all_zero(View octets) { return octets.find_first_not_of('\0') == View::npos; }

HeaderState get_copy(View copy, SegmentHeader& header) {
  if (all_zero(copy)) return HeaderState::zero;
  if (copy.substr(0, kSegmentMagic.size()) != kSegmentMagic) return HeaderState::bad;
  if (get<std::uint32_t>(copy, kHeaderChecksumAt) != crc32c(copy.substr(0, kHeaderChecksumAt))) return HeaderState::bad;
  const auto version = get<std::uint32_t>(copy, kHeaderVersionAt);
  if (version < kFirstFormatVersion || version > kFormatVersion) return HeaderState::foreign;
  header.log = get<std::uint32_t>(copy, 12);
  header.number = get<std::uint64_t>(copy, 16);
  header.life = get<std::uint64_t>(copy, 24);
  header.generation = get<std::uint64_t>(copy, 32);
  header.secret = get<std::uint64_t>(copy, 40);
  header.size = get<std::uint64_t>(copy, 48);
  header.end = get<std::uint64_t>(copy, 56);
  header.next_count = get<std::uint64_t>(copy, 64);
  header.next_sequence = get<std::uint64_t>(copy, 72);
  return HeaderState::valid;
}

std::optional<std::uint64_t> parse_number(View name, View prefix, std::size_t least_digits) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() < least_digits) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

void put_segment_header(char* area, const SegmentHeader& header) {
  std::memset(area, 0, kHeaderArea);
  char* at = area + kSegmentMagic.copy(area, kSegmentMagic.size());
  at = put(at, kFormatVersion);
  at = put(at, header.log);
  at = put(at, header.number);
  at = put(at, header.life);
  at = put(at, header.generation);
  at = put(at, header.secret);
  at = put(at, header.size);
  at = put(at, header.end);
  at = put(at, header.next_count);
  put(at, header.next_sequence);
  put(area + kHeaderChecksumAt, crc32c({area, kHeaderChecksumAt}));
  std::memcpy(area + kBlock, area, kHeaderOctets);
}

HeaderState get_segment_header(View area, SegmentHeader& header) {
  if (area.size() < kHeaderArea) return HeaderState::bad;
  SegmentHeader second;
  const HeaderState one = get_copy(area.substr(0, kHeaderOctets), header);
  const HeaderState two = get_copy(area.substr(kBlock, kHeaderOctets), second);
  if (one == HeaderState::foreign || two == HeaderState::foreign) return HeaderState::foreign;
  if (two == HeaderState::valid && (one != HeaderState::valid || second.generation > header.generation))
    header = second;
  if (one == HeaderState::valid || two == HeaderState::valid) return HeaderState::valid;
  return one == HeaderState::zero && two == HeaderState::zero ? HeaderState::zero : HeaderState::bad;
}

void put_batch_head(char* at, const BatchHead& head, std::uint64_t secret) {
  std::memset(at, 0, kBatchHead);
  char* next = put(at + 8, head.log);
  next = put(next, head.length);
  next = put_place(next, head.place);
  next = put(next, head.sequence);
  next = put_place(next, head.previous);
  next = put(next, head.next_count);
  put(next, head.records);
  put(at, kBatchMagic);
  put(at + 4, crc32c({at + 8, kBatchHead - 8}, seed_of(secret)));
}

std::optional<BatchHead> get_batch_head(View octets, std::uint64_t secret) {
  if (octets.size() < kBatchHead || get<std::uint32_t>(octets, 0) != kBatchMagic) return std::nullopt;
  if (get<std::uint32_t>(octets, 4) != crc32c(octets.substr(8, kBatchHead - 8), seed_of(secret))) return std::nullopt;
  BatchHead head;
  head.log = get<std::uint32_t>(octets, 8);
  head.length = get<std::uint32_t>(octets, 12);
  head.place = get_place(octets, 16);
  head.sequence = get<std::uint64_t>(octets, 40);
  head.previous = get_place(octets, 48);
  head.next_count = get<std::uint64_t>(octets, 72);
  head.records = get<std::uint32_t>(octets, 80);
  if (head.length < kBatchHead || head.length > kBatchLimit) return std::nullopt;
  return head;
}

void put_record_head(char* at, const RecordHead& head, std::uint64_t secret) {
  char* next = put(at + 4, head.meta_crc);
  next = put(next, head.size);
  next = put(next, head.meta);
  next = put(next, head.id.value);
  next = put(next, head.sequence);
  next = put(next, static_cast<std::uint32_t>(head.kind));
  put(next, head.content_crc);
  put(at, crc32c({at + 4, kRecordHead - 4}, seed_of(secret)));
}

std::optional<RecordHead> get_record_head(View octets, std::uint64_t secret) {
  if (octets.size() < kRecordHead) return std::nullopt;
  const auto kind = get<std::uint32_t>(octets, 32);
  if (kind < 1 || kind > 4) return std::nullopt;  // cheap first look: most octets of a damaged stretch end here
  if (get<std::uint32_t>(octets, 0) != crc32c(octets.substr(4, kRecordHead - 4), seed_of(secret))) return std::nullopt;
  RecordHead head;
  head.kind = static_cast<RecordKind>(kind);
  head.meta_crc = get<std::uint32_t>(octets, 4);
  head.size = get<std::uint32_t>(octets, 8);
  head.meta = get<std::uint32_t>(octets, 12);
  head.id.value = get<std::uint64_t>(octets, 16);
  head.sequence = get<std::uint64_t>(octets, 24);
  head.content_crc = get<std::uint32_t>(octets, 36);
  if (head.meta > head.size || head.size > kBatchLimit || head.id.value == 0) return std::nullopt;
  return head;
}

void put_message_meta(char* at, const MessageMeta& meta) {
  const auto flags = static_cast<std::uint32_t>((meta.facts.eight_bit ? 1 : 0) | (meta.facts.eight_bit_header ? 2 : 0) |
                                                (meta.facts.ends_with_crlf ? 4 : 0));
  at = put(at, meta.facts.size);
  at = put(at, meta.facts.dot_lines);
  at = put(at, meta.facts.received);
  at = put(at, flags);
  at = put(at, meta.envelope);
  at = put(at, meta.state);
  put(at, meta.trace);
}

std::optional<MessageMeta> get_message_meta(View octets) {
  if (octets.size() < kMessageMeta) return std::nullopt;
  MessageMeta meta;
  meta.facts.size = get<std::uint64_t>(octets, 0);
  meta.facts.dot_lines = get<std::uint32_t>(octets, 8);
  meta.facts.received = get<std::uint32_t>(octets, 12);
  const auto flags = get<std::uint32_t>(octets, 16);
  meta.facts.eight_bit = (flags & 1) != 0;
  meta.facts.eight_bit_header = (flags & 2) != 0;
  meta.facts.ends_with_crlf = (flags & 4) != 0;
  meta.envelope = get<std::uint32_t>(octets, 20);
  meta.state = get<std::uint32_t>(octets, 24);
  meta.trace = get<std::uint32_t>(octets, 28);
  const std::uint64_t sum = std::uint64_t{kMessageMeta} + meta.envelope + meta.state + meta.trace;
  if (sum != octets.size()) return std::nullopt;
  return meta;
}

std::string log_name(std::uint32_t log) { return fmt::format("log-{:02}", log); }
std::string segment_name(std::uint64_t number) { return fmt::format("segment-{:08}", number); }

std::optional<std::uint32_t> parse_log_name(View name) {
  const auto number = parse_number(name, "log-", 2);
  if (!number || *number > UINT16_MAX) return std::nullopt;  // an id has 16 bits for it
  return static_cast<std::uint32_t>(*number);
}

std::optional<std::uint64_t> parse_segment_name(View name) { return parse_number(name, "segment-", 8); }

std::string large_path(const std::string& directory, SpoolId id) { return directory + "/large/" + id.text(); }

}  // namespace ringpost::spool
