#include "report/metric_table.h"

namespace ringpost::report {
namespace {

using enum MetricKind;
using enum MetricUnit;

// Bounds of histograms: latencies of ours from 65 µs to 17 s, those of peers to 18 minutes, the queue's from 16 ms to 6
// days.
constexpr unsigned kOursLow = 16, kOursHigh = 34;
constexpr unsigned kPeersLow = 16, kPeersHigh = 40;
constexpr unsigned kQueueLow = 4, kQueueHigh = 29;

constexpr MetricFacts kReception[] = {
    {Metric::messages_accepted, "ringpost_messages_accepted_total", "", counter, number,
     "Messages answered 250: each was durable before."},
    {Metric::octets_accepted, "ringpost_accepted_bytes_total", "", counter, octets, "Octets of their contents."},
    {Measure::accept_time, "ringpost_accept_seconds", "", histogram, nanoseconds,
     "From the end of a message's content to its 250: the durable write, and what receive.flow_delay adds.", kOursLow,
     kOursHigh},
    {Metric::sessions_begun, "ringpost_sessions_total", "", counter, number, "Sessions of clients that began."},
    {Metric::sessions, "ringpost_sessions", "", gauge, number, "Sessions of clients that are open."},
    {Metric::transactions_in, "ringpost_transactions_total", "", counter, number,
     "Mail transactions that clients began (MAIL)."},
    {Metric::replies_4, "ringpost_refusals_total", "class=\"4\"", counter, number,
     "Replies to clients by which a command or a content was refused: 4 for now, 5 for good."},
    {Metric::replies_5, "ringpost_refusals_total", "class=\"5\"", counter, number, ""},
};

constexpr MetricFacts kDelivery[] = {
    {Metric::recipients_delivered, "ringpost_recipients_total", "outcome=\"delivered\"", counter, number,
     "Outcomes of attempts, by recipient: delivered, deferred (to be tried again), failed (for good, or expired)."},
    {Metric::recipients_deferred, "ringpost_recipients_total", "outcome=\"deferred\"", counter, number, ""},
    {Metric::recipients_failed, "ringpost_recipients_total", "outcome=\"failed\"", counter, number, ""},
    {Metric::bounces, "ringpost_bounces_total", "", counter, number,
     "DSNs queued: reports of failures, delays and deliveries to senders, or to the postmaster."},
    {Metric::octets_delivered, "ringpost_delivered_bytes_total", "", counter, octets,
     "Octets of the contents that other servers took."},
    {Measure::queue_time, "ringpost_queue_seconds", "", histogram, milliseconds,
     "From a message's acceptance to its delivery, by recipient.", kQueueLow, kQueueHigh},
    {Metric::connections_made, "ringpost_connections_total", "", counter, number, "Connections made to other servers."},
    {Metric::connect_failures, "ringpost_connect_failures_total", "", counter, number,
     "Connections to other servers that could not be made."},
    {Metric::connections, "ringpost_connections", "", gauge, number, "Connections to other servers that are open."},
    {Metric::transactions_out, "ringpost_attempts_total", "", counter, number,
     "Mail transactions begun with other servers: one message, the recipients of one destination."},
    {Measure::connect_time, "ringpost_attempt_connect_seconds", "", histogram, nanoseconds,
     "An attempt's phases: until TCP connects.", kPeersLow, kPeersHigh},
    {Measure::greeting_time, "ringpost_attempt_greeting_seconds", "", histogram, nanoseconds,
     "From there until the server has greeted and answered EHLO.", kPeersLow, kPeersHigh},
    {Measure::envelope_time, "ringpost_attempt_envelope_seconds", "", histogram, nanoseconds,
     "From the transaction's beginning to the reply to its last RCPT.", kPeersLow, kPeersHigh},
    {Measure::content_time, "ringpost_attempt_content_seconds", "", histogram, nanoseconds,
     "From there to the final reply.", kPeersLow, kPeersHigh},
};

constexpr MetricFacts kQueue[] = {
    {Metric::queue_messages, "ringpost_queue_messages", "", gauge, number,
     "Messages with a recipient that is to be delivered; not those that an operator holds."},
    {Metric::queue_entries, "ringpost_queue_entries", "", gauge, number,
     "The same by message and destination: what is attempted as one."},
    {Metric::messages_failed, "ringpost_messages_kept_failed", "", gauge, number,
     "Messages that have ended and whose senders are still to be told of it."},
    {Metric::destinations_healthy, "ringpost_destinations", "class=\"healthy\"", gauge, number,
     "Destinations with mail, by class: healthy, failing (the last attempt did not deliver), paused (nobody reaches "
     "it, or an operator has suspended it). Counted on each core that has mail for one."},
    {Metric::destinations_failing, "ringpost_destinations", "class=\"failing\"", gauge, number, ""},
    {Metric::destinations_paused, "ringpost_destinations", "class=\"paused\"", gauge, number, ""},
    {Metric::waiting_healthy, "ringpost_waiting", "class=\"healthy\"", gauge, number,
     "Entries of the queue, by the class of their destination."},
    {Metric::waiting_failing, "ringpost_waiting", "class=\"failing\"", gauge, number, ""},
    {Metric::waiting_paused, "ringpost_waiting", "class=\"paused\"", gauge, number, ""},
    {Metric::oldest_due, "ringpost_oldest_due_seconds", "", gauge, milliseconds,
     "For how long the oldest entry has been due at a destination that is not paused: grows where mail comes in faster "
     "than it goes out."},
    {Metric::destinations_known, "ringpost_destinations_known", "", gauge, number,
     "Destinations that are remembered, with mail or without, on each core by itself."},
};

constexpr MetricFacts kDns[] = {
    {Metric::dns_lookups, "ringpost_dns_lookups_total", "", counter, number, "Names that were looked up."},
    {Metric::dns_cached, "ringpost_dns_cached_total", "", counter, number, "Lookups answered from the cache."},
    {Metric::dns_joined, "ringpost_dns_joined_total", "", counter, number,
     "Lookups that joined a question already on its way."},
    {Metric::dns_sent, "ringpost_dns_questions_total", "", counter, number,
     "Questions sent to name servers, each try."},
    {Metric::dns_timeouts, "ringpost_dns_timeouts_total", "", counter, number, "Tries without an answer."},
    {Metric::dns_failures, "ringpost_dns_failures_total", "", counter, number,
     "Questions that no server could answer for now: mail that waits for them is deferred."},
    {Metric::dns_ignored, "ringpost_dns_ignored_total", "", counter, number,
     "Datagrams dropped for a wrong id or question: somebody may be forging answers."},
    {Metric::dns_entries, "ringpost_dns_cache_entries", "", gauge, number, "Answers in the cache."},
    {Metric::dns_octets, "ringpost_dns_cache_bytes", "", gauge, octets, "Their memory (dns.cache)."},
};

constexpr MetricFacts kSpool[] = {
    {Metric::spool_commits, "ringpost_spool_commits_total", "", counter, number, "Messages made durable."},
    {Metric::spool_batches, "ringpost_spool_batches_total", "", counter, number, "Durable writes of the log."},
    {Measure::batch_time, "ringpost_spool_batch_seconds", "", histogram, nanoseconds, "How long one took.", kOursLow,
     kOursHigh},
    {Measure::batch_octets, "ringpost_spool_batch_bytes", "", histogram, octets, "Its size, with padding.", 12, 22},
    {Measure::batch_messages, "ringpost_spool_batch_messages", "", histogram, number, "New messages in it.", 0, 10},
    {Metric::spool_log_octets, "ringpost_spool_written_bytes_total", "to=\"log\"", counter, octets,
     "Octets written to the spool's disk: the log with padding, and the files of large contents. Divided by "
     "ringpost_accepted_bytes_total it is the write amplification."},
    {Metric::spool_large_octets, "ringpost_spool_written_bytes_total", "to=\"large\"", counter, octets, ""},
    {Metric::spool_segments, "ringpost_spool_segments", "", gauge, number, "Log files on disk."},
    {Metric::spool_recycled, "ringpost_spool_segments_recycled_total", "", counter, number,
     "Log files in which nothing was alive any more and that were taken again."},
    {Metric::spool_index_octets, "ringpost_spool_index_bytes", "", gauge, octets,
     "Memory that the table of kept messages has touched."},
    {Metric::spool_damaged, "ringpost_spool_damaged_messages_total", "", counter, number,
     "Messages whose record was found damaged while running: they are kept and never delivered."},
    {Metric::refusing_disk, "ringpost_spool_refusing", "why=\"disk\"", gauge, number,
     "Cores that answer new mail 452 or 451, by what they lack: disk, memory, queue (limits.queue_messages), or "
     "stopped (the disk has failed)."},
    {Metric::refusing_memory, "ringpost_spool_refusing", "why=\"memory\"", gauge, number, ""},
    {Metric::refusing_queue, "ringpost_spool_refusing", "why=\"queue\"", gauge, number, ""},
    {Metric::refusing_stopped, "ringpost_spool_refusing", "why=\"stopped\"", gauge, number, ""},
};

constexpr MetricFacts kPressure[] = {
    {Metric::chunks_used, "ringpost_content_chunks_used", "", gauge, number,
     "Chunks of memory that hold contents being received or delivered."},
    {Metric::chunks_total, "ringpost_content_chunks", "", gauge, number,
     "How many there are. Near the end mail is answered 452 and warm messages are let go."},
    {Metric::ring_turns, "ringpost_ring_turns_total", "", counter, number, "Turns of the cores' loops."},
    {Metric::ring_completions, "ringpost_ring_completions_total", "", counter, number,
     "Operations that the kernel reported on."},
    {Metric::ring_submissions, "ringpost_ring_submissions_total", "", counter, number,
     "Operations that were given to the kernel."},
    {Metric::ring_operations, "ringpost_ring_operations", "", gauge, number, "Operations in flight."},
    {Metric::ring_buffers, "ringpost_ring_receive_buffers", "", gauge, number,
     "Buffers that the kernel receives into (meson option receive_buffers)."},
    {Metric::ring_parked, "ringpost_ring_receives_parked", "", gauge, number, "Receives that wait for a free buffer."},
    {Metric::ring_exhausted, "ringpost_ring_receives_parked_total", "", counter, number,
     "How often a receive had to wait for a buffer: more of them would help when this grows all the time."},
    {Metric::ring_overflows, "ringpost_ring_completion_overflows_total", "", counter, number,
     "Turns in which the completion queue was full (meson option completion_entries); nothing is lost by it."},
};

constexpr MetricFacts kTelling[] = {
    {Metric::events_written, "ringpost_events_written_total", "", counter, number, "Lines written to events.file."},
    {Metric::events_dropped, "ringpost_events_dropped_total", "", counter, number,
     "Lines lost, because the disk or the journal was full, failed or too slow. Mail does not wait for it."},
    {Metric::events_errors, "ringpost_events_errors_total", "", counter, number,
     "Writes, rotations and openings of the file that failed, and sends to the journal."},
    {Metric::events_rotations, "ringpost_events_rotations_total", "", counter, number,
     "Files that were set aside for their size or age."},
};

constexpr MetricFacts kProcess[] = {
    {Metric::cores, "ringpost_cores", "", gauge, number, "Cores that carry mail."},
    {Metric::memory_resident, "ringpost_memory_resident_bytes", "", gauge, octets,
     "Memory of the process that is resident; the most there was, where /proc may not be read."},
    {Metric::memory_limit, "ringpost_memory_limit_bytes", "", gauge, octets, "limits.memory: the planned ceiling."},
    {Metric::started, "ringpost_start_time_seconds", "", gauge, milliseconds, "When the process started, Unix time."},
};

constexpr MetricSection kSections[] = {
    {"Taking mail", kReception}, {"Handing mail on", kDelivery}, {"The queue", kQueue}, {"DNS", kDns},
    {"The spool", kSpool},       {"Pressure", kPressure},        {"Events", kTelling},  {"The process", kProcess},
};

consteval std::size_t rows() {
  std::size_t sum = 0;
  for (const MetricSection& section : kSections) sum += section.rows.size();
  return sum;
}
static_assert(rows() == kMetrics + kMeasures, "each metric has a row");

}  // namespace

std::span<const MetricSection> metric_sections() { return kSections; }

}  // namespace ringpost::report
