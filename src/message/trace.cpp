// The trace line that a relay puts before each content (RFC 5321 4.4), and the date in it (RFC 5322 3.3).
#include <algorithm>
#include <array>
#include <chrono>

#include "ringpost/base/check.h"
#include "ringpost/message.h"

namespace ringpost::message {
namespace {

constexpr std::size_t kFold = 78;  // RFC 5322 2.1.1: octets a line should have at most, CRLF not counted

constexpr std::array<View, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<View, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Appends pieces that stay whole to a field, and folds before one that would make the line too long.
class Folder {
 public:
  explicit Folder(std::string& out) : out_(out) {}

  // `parts` joined without blanks are one piece.
  template <class... Parts>
  void add(const Parts&... parts) {
    const std::size_t length = (View{parts}.size() + ...);
    if (line_ + 1 + length > kFold) {
      out_.append("\r\n\t");
      line_ = 1 + length;
    } else {
      out_.push_back(' ');
      line_ += 1 + length;
    }
    (out_.append(View{parts}), ...);
  }
  void begin(View field) {
    out_.assign(field);
    line_ = field.size();
  }

 private:
  std::string& out_;
  std::size_t line_ = 0;
};

View with(Protocol protocol) {
  switch (protocol) {
    case Protocol::smtp:
      return "SMTP";
    case Protocol::esmtp:
      return "ESMTP";
    case Protocol::utf8smtp:
      return "UTF8SMTP";
  }
  return "SMTP";
}

constexpr std::array<bool, 256> kHarmless = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) {
    const char octet = static_cast<char>(c);
    const bool letter = ascii_lower(octet) >= 'a' && ascii_lower(octet) <= 'z';
    table[c] = letter || is_digit(octet) || View{".-_:[]"}.contains(octet);
  }
  return table;
}();
constexpr bool harmless(char c) { return kHarmless[static_cast<unsigned char>(c)]; }

// What a client calls itself may be any graphic octets (smtp::parse_hello). In a structured field only those of domains
// and literals go without quotes: the others, which could open a comment or end the field, become "?". `room` holds
// what had to be changed.
View harmless_name(View name, std::string& room) {
  if (name.empty()) return "unknown";
  if (std::ranges::all_of(name, [](char c) { return harmless(c); })) return name;
  room = name;
  std::ranges::replace_if(room, [](char c) { return !harmless(c); }, '?');
  return room;
}

char* put(char* to, View text) { return to + text.copy(to, text.size()); }

char* put_two(char* to, unsigned value) {
  *to++ = static_cast<char>('0' + value / 10 % 10);
  *to++ = static_cast<char>('0' + value % 10);
  return to;
}

constexpr std::size_t kDateLength = 31;  // "Wed, 25 Nov 2026 10:12:13 +0000"
using Date = std::array<char, kDateLength>;

Date date_text(WallTime at) {
  namespace chrono = std::chrono;
  const chrono::sys_time<chrono::milliseconds> time{chrono::milliseconds{at.milliseconds}};
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss clock{chrono::floor<chrono::seconds>(time - day)};
  const int year = static_cast<int>(date.year());
  CHECK(year >= 0 && year <= 9999);
  Date text;
  char* to = put(text.data(), kDays[chrono::weekday{day}.c_encoding()]);
  to = put_two(put(to, ", "), static_cast<unsigned>(date.day()));
  to = put(put(put(to, " "), kMonths[static_cast<unsigned>(date.month()) - 1]), " ");
  to = put_two(put_two(to, static_cast<unsigned>(year) / 100), static_cast<unsigned>(year) % 100);
  to = put_two(put(to, " "), static_cast<unsigned>(clock.hours().count()));
  to = put_two(put(to, ":"), static_cast<unsigned>(clock.minutes().count()));
  to = put_two(put(to, ":"), static_cast<unsigned>(clock.seconds().count()));
  to = put(to, " +0000");
  CHECK(to == text.data() + text.size());
  return text;
}

}  // namespace

void write_date(std::string& out, WallTime at) {
  const Date text = date_text(at);
  out.append(text.data(), text.size());
}

void write_trace(std::string& out, const Envelope& envelope, SpoolId id, View hostname) {
  const auto letters = id.letters();
  const View id_text{letters.data(), letters.size()};
  // RFC 5321 4.4 and 7.2: several recipients in one "for" would tell each of them of the others.
  const View only = envelope.recipient_count() == 1 ? envelope.recipient(0).forward_path : View{};
  const Date date = date_text(envelope.accepted);
  std::string room;

  Folder line(out);
  line.begin("Received:");
  line.add("from ", harmless_name(envelope.helo(), room));
  line.add("(", envelope.client.literal(), ")");
  line.add("by ", hostname, " (Ringpost)");
  line.add("with ", with(envelope.protocol));
  line.add("id ", id_text, only.empty() ? ";" : "");
  if (!only.empty()) line.add("for <", only, ">;");
  line.add(View{date.data(), date.size()});
  out.append("\r\n");
}

}  // namespace ringpost::message
