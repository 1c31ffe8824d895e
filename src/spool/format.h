// The octets of a spool on disk: segment headers, batch heads, record heads, names. docs/spool-format.md says the same
// in words; whoever changes one changes the other and kFormatVersion.
//
// Owns nothing. Called by all that writes or reads a log. Never does I/O, never decides what is alive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ringpost/base/bytes.h"
#include "ringpost/base/ids.h"
#include "ringpost/spool.h"

namespace ringpost::spool {

inline constexpr std::uint32_t kFirstFormatVersion = 1;  // still read: it knew fewer states of a recipient
inline constexpr std::uint32_t kFormatVersion = 2;

// ---- segment

// A header fits one sector, so that no torn write can leave half of one; it stands twice, so that one rotten block
// does not take a whole segment with it. The copy with the higher generation counts.
inline constexpr std::size_t kHeaderOctets = 512;
inline constexpr std::size_t kHeaderArea = 2 * kBlock;  // two copies, a block each; the first batch stands behind them
inline constexpr std::uint64_t kFirstBatch = kHeaderArea;

struct SegmentHeader {
  std::uint32_t log = 0;
  std::uint64_t number = 0;         // of the segment in its log: as its file's name
  std::uint64_t life = 0;           // grows by one each time the segment is recycled: batches of other lives are void
  std::uint64_t generation = 0;     // of this header: grows with each rewriting
  std::uint64_t secret = 0;         // of the log: seeds checksums, so that nobody's mail can imitate a batch
  std::uint64_t size = 0;           // octets of the file
  std::uint64_t end = 0;            // not 0: sealed by a recovery; nothing at or behind this offset counts
  std::uint64_t next_count = 0;     // ids of this log with a lower count were perhaps given out
  std::uint64_t next_sequence = 0;  // batches of this log with a lower sequence were perhaps written
};

enum class HeaderState : std::uint8_t { valid, zero, bad, foreign };

// Fills kHeaderArea octets: both copies.
void put_segment_header(char* area, const SegmentHeader& header);
// The better of the two copies in `area` (kHeaderArea octets). zero: both are zeros; foreign: another version wrote it.
HeaderState get_segment_header(View area, SegmentHeader& header);

// ---- batch

inline constexpr std::uint32_t kBatchMagic = 0x31425052;  // "RPB1"
inline constexpr std::size_t kBatchHead = 96;

// Where a batch stands: life and offset in a segment of the same log.
struct Place {
  std::uint64_t segment = 0;
  std::uint64_t life = 0;  // 0: no place
  std::uint64_t offset = 0;
  bool operator==(const Place&) const = default;
};

struct BatchHead {
  std::uint32_t log = 0;
  std::uint32_t length = 0;  // octets with this head, without the padding to the next block
  Place place;               // where it was meant to be written: a misdirected one is not valid
  std::uint64_t sequence = 0;
  Place previous;  // the batch before it in log order; no place: it is the log's first
  std::uint64_t next_count = 0;
  std::uint32_t records = 0;
};

void put_batch_head(char* at, const BatchHead& head, std::uint64_t secret);
std::optional<BatchHead> get_batch_head(View octets, std::uint64_t secret);

// ---- record

inline constexpr std::size_t kRecordAlign = 8;  // octets: each record begins at a multiple of it
inline constexpr std::size_t kRecordHead = 40;

enum class RecordKind : std::uint8_t {
  message = 1,  // envelope, first state, trace line, content
  large = 2,    // the same, with the content in large/<id>
  state = 3,    // replaces the state of its message
  end = 4,      // the message is over
};

struct RecordHead {
  RecordKind kind = RecordKind::end;
  SpoolId id;
  std::uint64_t sequence = 0;     // of its batch
  std::uint32_t size = 0;         // octets behind the head: meta, then content
  std::uint32_t meta = 0;         // octets of the meta part
  std::uint32_t meta_crc = 0;     // of the meta part
  std::uint32_t content_crc = 0;  // of the content: in the record or in the large file
  [[nodiscard]] std::size_t total() const { return kRecordHead + size; }
};

// The head's own checksum is put last and covers all other fields.
void put_record_head(char* at, const RecordHead& head, std::uint64_t secret);
std::optional<RecordHead> get_record_head(View octets, std::uint64_t secret);

// The fixed part at the start of a message's meta; envelope, state and trace stand behind it in this order.
inline constexpr std::size_t kMessageMeta = 32;
struct MessageMeta {
  message::ContentFacts facts;
  std::uint32_t envelope = 0;  // octets each
  std::uint32_t state = 0;
  std::uint32_t trace = 0;
};
void put_message_meta(char* at, const MessageMeta& meta);
// Also checks that the parts fill `octets` (the whole meta part) exactly.
std::optional<MessageMeta> get_message_meta(View octets);

// ---- names

std::string log_name(std::uint32_t log);         // log-07
std::string segment_name(std::uint64_t number);  // segment-00000042
std::optional<std::uint32_t> parse_log_name(View name);
std::optional<std::uint64_t> parse_segment_name(View name);
std::string large_path(const std::string& directory, SpoolId id);

constexpr std::size_t round_up(std::size_t octets, std::size_t unit) { return (octets + unit - 1) / unit * unit; }
constexpr std::uint64_t round_down(std::uint64_t octets, std::uint64_t unit) { return octets / unit * unit; }

}  // namespace ringpost::spool
