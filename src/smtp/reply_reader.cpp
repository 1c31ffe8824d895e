// Replies as servers write them: RFC 5321 4.2, RFC 2034, and the keywords behind EHLO (RFC 5321 4.1.1.1).
// Every length is bounded, because the peer chooses it.
#include <algorithm>
#include <cstring>

#include "parameters.h"
#include "ringpost/base/check.h"

namespace ringpost::smtp {
namespace {

char visible(char c) { return (c >= 0 && c < ' ') || c == 0x7F ? '?' : c; }

View without_line_end(View line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Takes the first word and the blanks behind it off the front of `text`.
View take_word(View& text) {
  const auto end = std::ranges::find_if(text, blank);
  const View word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text = trim(text.substr(word.size()));
  return word;
}

struct Flag {
  View keyword;
  bool Capabilities::* member;
};

constexpr Flag kExtensions[] = {
    {"PIPELINING", &Capabilities::pipelining},  {"8BITMIME", &Capabilities::eight_bit_mime},
    {"SMTPUTF8", &Capabilities::smtputf8},      {"CHUNKING", &Capabilities::chunking},
    {"BINARYMIME", &Capabilities::binary_mime}, {"DSN", &Capabilities::dsn},
    {"STARTTLS", &Capabilities::starttls},      {"ENHANCEDSTATUSCODES", &Capabilities::enhanced_codes},
};

constexpr Flag kMechanisms[] = {
    {"PLAIN", &Capabilities::auth_plain},
    {"LOGIN", &Capabilities::auth_login},
    {"CRAM-MD5", &Capabilities::auth_cram_md5},
    {"SCRAM-SHA-1", &Capabilities::auth_scram_sha_1},
    {"SCRAM-SHA-256", &Capabilities::auth_scram_sha_256},
    {"EXTERNAL", &Capabilities::auth_external},
};

void raise(Capabilities& capabilities, std::span<const Flag> flags, View keyword) {
  for (const Flag& flag : flags)
    if (equal_ignoring_case(flag.keyword, keyword)) capabilities.*flag.member = true;
}

}  // namespace

void Capabilities::take(View line) {
  constexpr View kOldAuth = "AUTH=";  // as servers before RFC 2554 wrote it, for clients that still look for it
  line = trim(line);
  View rest = line;
  View keyword = take_word(rest);
  if (equal_ignoring_case(line.substr(0, kOldAuth.size()), kOldAuth)) {
    rest = line.substr(kOldAuth.size());
    keyword = "AUTH";
  }
  if (equal_ignoring_case(keyword, "SIZE")) {
    size = true;
    size_limit = parse_decimal(take_word(rest)).value_or(0);
  } else if (equal_ignoring_case(keyword, "AUTH")) {
    while (!rest.empty()) raise(*this, kMechanisms, take_word(rest));
  } else {
    raise(*this, kExtensions, keyword);
  }
}

void ReplyReader::reset() {
  reply_ = {};
  capabilities_ = nullptr;
  octets_ = line_octets_ = line_kept_ = text_kept_ = 0;
  finished_ = false;
}

ReplyReader::Progress ReplyReader::feed(View input) {
  if (finished_) {
    Capabilities* armed = capabilities_;  // for the reply that begins now
    reset();
    capabilities_ = armed;
  }
  std::size_t consumed = 0;
  while (consumed < input.size()) {
    const View rest = input.substr(consumed);
    const std::size_t lf = rest.find('\n');
    const View piece = lf == View::npos ? rest : rest.substr(0, lf + 1);
    consumed += piece.size();
    const State state = advance(piece);
    if (state != State::more) return {state, consumed};
  }
  return {State::more, consumed};
}

// `piece` is the rest of a line, or a part of it without line end.
ReplyReader::State ReplyReader::advance(View piece) {
  octets_ += piece.size();
  line_octets_ += piece.size();
  if (octets_ > kReplyOctets || line_octets_ > kReplyLine) return State::nonsense;
  const bool whole = piece.ends_with('\n');
  if (!whole || line_octets_ > piece.size()) keep_piece(piece);
  if (!whole) return head_fits({line_.data(), line_kept_}) ? State::more : State::nonsense;

  const View line = whole_line(piece);
  line_octets_ = line_kept_ = 0;
  if (!take_line(line)) return State::nonsense;
  if (line.size() > 3 && line[3] == '-') return State::more;
  reply_.text = {text_.data(), text_kept_};
  finished_ = true;
  capabilities_ = nullptr;
  return State::complete;
}

void ReplyReader::keep_piece(View piece) {
  const View kept = piece.substr(0, line_.size() - line_kept_);
  std::memcpy(line_.data() + line_kept_, kept.data(), kept.size());
  line_kept_ += kept.size();
}

// The line that `piece` ends, without its end, as much of it as counts: in the input when it lies there whole.
View ReplyReader::whole_line(View piece) const {
  const View line = line_octets_ == piece.size() ? piece : View{line_.data(), line_kept_};
  const bool cut = line.size() < line_octets_;
  return (cut ? line : without_line_end(line)).substr(0, kHead + kReplyTextLine);
}

// RFC 5321 4.2: three digits, the first 2 … 5, then "-", a blank or nothing; the same code on every line.
bool ReplyReader::head_fits(View line) const {
  for (std::size_t i = 0; i < std::min<std::size_t>(line.size(), 3); ++i)
    if (!is_digit(line[i])) return false;
  if (!line.empty() && (line[0] < '2' || line[0] > '5')) return false;
  return line.size() < 4 || line[3] == ' ' || line[3] == '-' || line[3] == '\r';
}

bool ReplyReader::take_line(View line) {
  if (line.size() < 3 || !head_fits(line) || (line.size() > 3 && line[3] == '\r')) return false;
  const auto code = static_cast<std::uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
  if (reply_.lines == kReplyLines || (reply_.lines > 0 && code != reply_.code)) return false;
  reply_.code = code;
  ++reply_.lines;
  View text = line.substr(std::min(line.size(), kHead));
  if (capabilities_ != nullptr && code == 250 && reply_.lines > 1) capabilities_->take(text);
  View behind = text;
  const EnhancedCode enhanced = EnhancedCode::parse(take_word(behind));
  // RFC 2034 4: the class must agree with the code's first digit; else it is only text that looks like one.
  if (enhanced.kind == code / 100) {
    if (!reply_.enhanced.given()) reply_.enhanced = enhanced;
    text = behind;
  }
  keep_text(trim(text));
  return true;
}

void ReplyReader::keep_text(View text) {
  if (text.empty() || text_kept_ == text_.size()) return;
  if (text_kept_ > 0) text_[text_kept_++] = ' ';
  const View kept = text.substr(0, text_.size() - text_kept_);
  std::ranges::transform(kept, text_.begin() + static_cast<std::ptrdiff_t>(text_kept_), visible);
  text_kept_ += kept.size();
}

}  // namespace ringpost::smtp
