// The window, and what counts as whole.
#include "spool/scan.h"

#include <cstring>

#include "ringpost/base/crc32c.h"

namespace ringpost::spool {

FileWindow::FileWindow(ring::Files& files, ring::File file, std::uint64_t size)
    : files_(files), file_(file), size_(size), memory_(kWindow) {}

View FileWindow::at(std::uint64_t offset, std::size_t length) {
  if (offset >= size_) return {};
  length = static_cast<std::size_t>(std::min<std::uint64_t>(length, size_ - offset));
  if (offset < begin_ || offset + length > begin_ + filled_) fill(offset, length);
  return {reinterpret_cast<const char*>(memory_.data()) + (offset - begin_), length};
}

void FileWindow::fill(std::uint64_t offset, std::size_t length) {
  begin_ = round_down(offset, kBlock);
  const std::size_t needed = round_up(offset - begin_ + length, kBlock);
  if (needed > memory_.size()) memory_ = Reservation(needed);  // a batch of a build with larger ones
  filled_ = static_cast<std::size_t>(std::min<std::uint64_t>(memory_.size(), size_ - begin_));
  const Room room{reinterpret_cast<char*>(memory_.data()), filled_};
  const auto read = files_.read(file_, room, begin_);
  if (!read) return fill_by_blocks(room, begin_);
  std::memset(room.data() + *read, 0, room.size() - *read);  // the file became shorter: zeros are no batch
}

void FileWindow::fill_by_blocks(Room room, std::uint64_t offset) {
  for (std::size_t at = 0; at < room.size(); at += kBlock) {
    const Room block = room.subspan(at, std::min(kBlock, room.size() - at));
    const auto read = files_.read(file_, block, offset + at);
    const std::size_t got = read ? *read : 0;
    std::memset(block.data() + got, 0, block.size() - got);
    if (read) continue;
    error_ = read.error();
    unreadable_end_ = std::max(unreadable_end_, offset + at + block.size());
  }
}

std::optional<FoundRecord> look_at_record(View octets, std::uint64_t offset, std::uint64_t secret) {
  const auto head = get_record_head(octets, secret);
  if (!head || head->total() > octets.size()) return std::nullopt;
  FoundRecord found{.head = *head, .offset = offset};
  found.meta = octets.substr(kRecordHead, head->meta);
  found.content = octets.substr(kRecordHead + head->meta, head->size - head->meta);
  found.meta_good = crc32c(found.meta) == head->meta_crc;
  // A large content is not here: its checksum is looked at when it is read.
  found.content_good =
      head->kind == RecordKind::message ? crc32c(found.content) == head->content_crc : found.content.empty();
  return found;
}

bool whole_batch(View octets, const BatchHead& head, std::uint64_t secret) {
  if (octets.size() != head.length) return false;
  std::size_t at = kBatchHead;
  for (std::uint32_t i = 0; i < head.records; ++i) {
    if (at > octets.size()) return false;
    const auto record = look_at_record(octets.substr(at), 0, secret);
    if (!record || record->head.sequence != head.sequence || !record->meta_good || !record->content_good) return false;
    at += round_up(record->head.total(), kRecordAlign);
  }
  return at == octets.size();
}

SegmentScan::SegmentScan(FileWindow& window, const SegmentHeader& header)
    : window_(window), header_(header), limit_(std::min(window.size(), header.end != 0 ? header.end : header.size)) {}

SegmentScan::Step SegmentScan::next() {
  Step step{.offset = at_};
  if (const auto head = batch_at(at_)) {
    step.kind = Step::Kind::batch;
    step.head = *head;
    step.octets = window_.at(at_, head->length);
    at_ += round_up(head->length, kBlock);
    return step;
  }
  for (std::uint64_t later = at_ + kBlock; later < limit_; later += kBlock)
    if (batch_at(later)) {
      step.kind = Step::Kind::damage;
      step.until = later;
      at_ = later;
      return step;
    }
  return step;
}

std::optional<BatchHead> SegmentScan::batch_at(std::uint64_t offset) {
  if (offset + kBatchHead > limit_) return std::nullopt;
  const auto head = get_batch_head(window_.at(offset, kBatchHead), header_.secret);
  if (!head || head->log != header_.log || head->place != Place{header_.number, header_.life, offset})
    return std::nullopt;
  if (offset + head->length > limit_) return std::nullopt;
  return whole_batch(window_.at(offset, head->length), *head, header_.secret) ? head : std::nullopt;
}

}  // namespace ringpost::spool
