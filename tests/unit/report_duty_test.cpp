// Who is owed word: RFC 3461 4.1, 5.2.2 and 5.2.7, RFC 5321 4.5.5.
#include <doctest/doctest.h>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

using message::Status;

constexpr WallTime kAccepted{1'764'064'800'000};

struct Case {
  explicit Case(std::uint8_t notify, View from = "ada@sender.example") {
    envelope.accepted = kAccepted;
    envelope.set_reverse_path(from);
    envelope.add_recipient("bob@example.org", 11, notify, {});
    config.bounce.delay_after = 4h;
    config.retry.expire = 5 * 24h;
  }
  [[nodiscard]] message::Recipient recipient() const { return envelope.recipient(0); }
  [[nodiscard]] std::optional<DsnAction> owed_for(Status status, Duration age = 1h) const {
    message::RecipientState state;
    state.status = status;
    state.delay_told = delay_told;
    return owed(envelope, recipient(), state, config, kAccepted + age);
  }
  [[nodiscard]] WallTime looked_at() const {
    message::RecipientState state;
    state.delay_told = delay_told;
    return deadline(envelope, recipient(), state, config);
  }

  message::Envelope envelope;
  config::Config config;
  bool delay_told = false;
};

}  // namespace

TEST_CASE("NOTIFY says which word a sender wants; who says nothing is told of failures and delays") {
  struct Row {
    int notify;
    bool failure, delay, success;
  };
  constexpr Row kRows[] = {
      {0, true, true, false},
      {smtp::kNotifyNever, false, false, false},
      {smtp::kNotifyFailure, true, false, false},
      {smtp::kNotifyDelay, false, true, false},
      {smtp::kNotifySuccess, false, false, true},
      {smtp::kNotifySuccess | smtp::kNotifyFailure, true, false, true},
      {smtp::kNotifyFailure | smtp::kNotifyDelay, true, true, false},
      {smtp::kNotifySuccess | smtp::kNotifyFailure | smtp::kNotifyDelay, true, true, true},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.notify);
    const Case with(static_cast<std::uint8_t>(row.notify));
    CHECK((with.owed_for(Status::failed) == DsnAction::failed) == row.failure);
    CHECK((with.owed_for(Status::open, 5h) == DsnAction::delayed) == row.delay);
    CHECK(wants_relayed(with.envelope, with.recipient()) == row.success);
    CHECK(untold(with.envelope, with.recipient(), with.config).empty() == row.failure);
  }
}

TEST_CASE("a delay is told once, not before its time, not after the expiry, and not where that is turned off") {
  Case with(0);
  CHECK_FALSE(with.owed_for(Status::open, 4h - 1ms).has_value());
  CHECK(with.owed_for(Status::open, 4h) == DsnAction::delayed);
  CHECK_FALSE(with.owed_for(Status::open, 5 * 24h).has_value());
  CHECK(with.looked_at() == kAccepted + 4h);
  with.delay_told = true;
  CHECK_FALSE(with.owed_for(Status::open, 5h).has_value());
  CHECK(with.looked_at() == kAccepted + 5 * 24h);
  with.delay_told = false;
  with.config.bounce.delay_after = 0s;
  CHECK_FALSE(with.owed_for(Status::open, 5h).has_value());
  CHECK(with.looked_at() == kAccepted + 5 * 24h);
}

TEST_CASE("the null reverse-path gets no report; a postmaster may, but not about what was for the postmaster") {
  Case with(0, "");
  CHECK_FALSE(with.owed_for(Status::failed).has_value());
  CHECK_FALSE(with.owed_for(Status::open, 5h).has_value());
  CHECK_FALSE(wants_relayed(Case(smtp::kNotifySuccess, "").envelope, with.recipient()));
  CHECK_FALSE(untold(with.envelope, with.recipient(), with.config).empty());
  CHECK(addressee(with.envelope, with.config).empty());
  with.config.bounce.postmaster = "pm@relay.example";
  CHECK(with.owed_for(Status::failed) == DsnAction::failed);
  CHECK_FALSE(with.owed_for(Status::open, 5h).has_value());
  CHECK(addressee(with.envelope, with.config) == "pm@relay.example");
  // NOTIFY speaks about the sender: a DSN, which carries NEVER, fails loudly too.
  Case dsn(smtp::kNotifyNever, "");
  dsn.config.bounce.postmaster = "pm@relay.example";
  CHECK(dsn.owed_for(Status::failed) == DsnAction::failed);
  dsn.config.bounce.postmaster = "BOB@Example.org";
  CHECK_FALSE(dsn.owed_for(Status::failed).has_value());
}

TEST_CASE("what is over is owed nothing") {
  const Case with(smtp::kNotifySuccess | smtp::kNotifyFailure | smtp::kNotifyDelay);
  for (const Status status : {Status::delivered, Status::removed, Status::bounced})
    CHECK_FALSE(with.owed_for(status, 5h).has_value());
  CHECK(with.owed_for(Status::relayed) == DsnAction::relayed);
}

}  // namespace ringpost::report
