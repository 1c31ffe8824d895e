// DSNs, octet by octet where a reader of RFC 3464 and RFC 6522 depends on it.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

constexpr WallTime kAccepted{1'764'064'800'000};  // Tue, 25 Nov 2025 10:00:00 +0000
constexpr WallTime kNow{1'764'064'861'000};

// A DSN with everything that most of them have; a test changes what it is about.
struct Given {
  Given() {
    envelope.accepted = kAccepted;
    envelope.set_reverse_path("ada@sender.example");
    envelope.set_helo("client.sender.example");
    envelope.add_recipient("bob@example.org", 11, 0, {});
    DsnRecipient one;
    one.forward_path = "bob@example.org";
    one.status = {5, 1, 1};
    one.code = 550;
    one.text = "No such user here";
    one.host = "mx.example.org";
    one.attempts = 1;
    one.attempted = kNow;
    recipients.push_back(one);
  }
  std::string write() {
    Dsn dsn;
    dsn.id = SpoolId::make(0, 2);
    dsn.about = SpoolId::make(0, 1);
    dsn.hostname = "mx1.example.net";
    dsn.from_name = from_name;
    dsn.to = to;
    dsn.to_postmaster = to_postmaster;
    dsn.now = kNow;
    dsn.original = &envelope;
    dsn.recipients = recipients;
    dsn.content = content;
    dsn.return_content = return_content;
    dsn.salt = 0x1234;
    std::string out;
    form = write_dsn(out, dsn);
    return out;
  }

  message::Envelope envelope;
  std::vector<DsnRecipient> recipients;
  std::string content =
      "Received: from client.sender.example by mx1.example.net\r\n"
      "From: Ada <ada@sender.example>\r\n"
      "Message-ID: <one@sender.example>\r\n"
      "Subject: Hello\r\n"
      "\r\n"
      "The body.\r\n";
  std::string from_name = "Mail Delivery System";
  std::string to = "ada@sender.example";
  bool to_postmaster = false;
  bool return_content = false;
  DsnForm form;
};

bool has(View text, View part) { return text.find(part) != View::npos; }

std::size_t longest_line(View text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    longest = std::max(longest, end == View::npos ? text.size() : end);
    text.remove_prefix(end == View::npos ? text.size() : end + 2);
  }
  return longest;
}

}  // namespace

TEST_CASE("a failure report, octet by octet") {
  Given given;
  const std::string text = given.write();
  CHECK(text ==
        "From: Mail Delivery System <MAILER-DAEMON@mx1.example.net>\r\n"
        "To: <ada@sender.example>\r\n"
        "Subject: Undelivered mail returned to sender\r\n"
        "Date: Tue, 25 Nov 2025 10:01:01 +0000\r\n"
        "Message-ID: <0000000000002@mx1.example.net>\r\n"
        "In-Reply-To: <one@sender.example>\r\n"
        "References: <one@sender.example>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        " boundary=\"=_0000000000002/0000000000001234\"\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "This is a report in MIME format: a reader that shows this line does not know it.\r\n"
        "\r\n"
        "--=_0000000000002/0000000000001234\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Description: Notification\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "This is the mail system at mx1.example.net.\r\n"
        "\r\n"
        "Your message could not be delivered to:\r\n"
        "\r\n"
        "<bob@example.org>\r\n"
        "    Refused by mx.example.org:\r\n"
        "        550 5.1.1 No such user here\r\n"
        "    Check the part before the @ for typing errors. Else the address is\r\n"
        "    no more: ask for the new one by other means.\r\n"
        "\r\n"
        "The header fields of the message are attached. If you ask your\r\n"
        "postmaster, name the message by its id here: 0000000000001\r\n"
        "\r\n"
        "--=_0000000000002/0000000000001234\r\n"
        "Content-Type: message/delivery-status\r\n"
        "Content-Description: Delivery report\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Reporting-MTA: dns;mx1.example.net\r\n"
        "Received-From-MTA: dns;client.sender.example\r\n"
        "Arrival-Date: Tue, 25 Nov 2025 10:00:00 +0000\r\n"
        "X-Ringpost-Id: 0000000000001\r\n"
        "\r\n"
        "Final-Recipient: rfc822;bob@example.org\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        "Remote-MTA: dns;mx.example.org\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
        "Last-Attempt-Date: Tue, 25 Nov 2025 10:01:01 +0000\r\n"
        "\r\n"
        "--=_0000000000002/0000000000001234\r\n"
        "Content-Type: text/rfc822-headers\r\n"
        "Content-Description: Header fields of the message\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Received: from client.sender.example by mx1.example.net\r\n"
        "From: Ada <ada@sender.example>\r\n"
        "Message-ID: <one@sender.example>\r\n"
        "Subject: Hello\r\n"
        "\r\n"
        "--=_0000000000002/0000000000001234--\r\n");
  CHECK_FALSE(given.form.eight_bit);
  CHECK_FALSE(given.form.smtputf8);
}

TEST_CASE("what the sender asked by ENVID and ORCPT comes back decoded, and harmless") {
  Given given;
  given.envelope.set_envid("QQ+2B314");
  given.recipients[0].orcpt = "rfc822;Bob+2Bx@old.example";
  std::string text = given.write();
  CHECK(has(text, "Original-Envelope-Id: QQ+314\r\n"));
  CHECK(has(text, "Original-Recipient: rfc822;Bob+x@old.example\r\nFinal-Recipient: rfc822;bob@example.org\r\n"));
  Given hostile;
  hostile.envelope.set_envid("a+0D+0AX-Evil:+20yes");
  hostile.recipients[0].orcpt = "rfc822;a+0D+0AAction:+20delivered";
  text = hostile.write();
  CHECK_FALSE(has(text, "\r\nX-Evil"));
  CHECK_FALSE(has(text, "\r\nAction: delivered"));
  CHECK(has(text, "Original-Envelope-Id: a+0D+0AX-Evil:+20yes\r\n"));
}

TEST_CASE("a remote's words are folded and cannot end a line") {
  Given given;
  const std::string words =
      "You \r\n\r\nAction: delivered \x01\x80 " + std::string(400, 'x') + " see https://example.org/why";
  given.recipients[0].text = words;
  const std::string text = given.write();
  CHECK_FALSE(has(text, "\nAction: delivered"));
  CHECK(longest_line(text) <= 998);
  CHECK(has(text,
            "Diagnostic-Code: smtp; 550 5.1.1 You ????Action: delivered ??\r\n " + std::string(400, 'x') + "\r\n see"));
  CHECK_FALSE(given.form.eight_bit);
}

TEST_CASE("our own finding is not said in a remote's name") {
  Given given;
  given.recipients[0].code = 0;
  given.recipients[0].status = {4, 4, 1};
  given.recipients[0].text = "connection timed out";
  std::string text = given.write();
  CHECK(has(text, "Diagnostic-Code: x-ringpost; connection timed out\r\n"));
  CHECK(has(text, "Status: 5.4.1\r\n"));  // the class agrees with the action
  CHECK(has(text, "What stood in the way, at mx.example.org:\r\n        connection timed out\r\n"));
  given.recipients[0].code = 552;
  given.recipients[0].ours = true;
  given.recipients[0].status = {5, 3, 4};
  text = given.write();
  CHECK(has(text, "Diagnostic-Code: x-ringpost; 552 5.3.4"));
  CHECK_FALSE(has(text, "Refused by"));
}

TEST_CASE("an enhanced code that the remote did not give is not put into its mouth") {
  Given given;
  given.recipients[0].status = {5, 0, 0};
  CHECK(has(given.write(), "Diagnostic-Code: smtp; 550 No such user here\r\n"));
}

TEST_CASE("an expired message names the tries and the last answer") {
  Given given;
  given.recipients[0].status = {5, 4, 7};
  given.recipients[0].code = 451;
  given.recipients[0].text = "Greylisted";
  given.recipients[0].attempts = 12;
  const std::string text = given.write();
  CHECK(has(text, "Status: 5.4.7\r\n"));
  CHECK(has(text, "Diagnostic-Code: smtp; 451 Greylisted\r\n"));
  CHECK(has(text, "Given up: tried since Tue, 25 Nov 2025 10:00:00 +0000, 12 times,\r\n    without success."));
  CHECK(has(text, "The last answer, from mx.example.org:\r\n        451 Greylisted\r\n"));
}

TEST_CASE("a delay says until when it is tried, and that nothing need be done") {
  Given given;
  given.recipients[0].action = DsnAction::delayed;
  given.recipients[0].status = {4, 2, 1};
  given.recipients[0].code = 450;
  given.recipients[0].retry_until = WallTime{1'764'496'800'000};
  const std::string text = given.write();
  CHECK(has(text, "Subject: Delayed mail (still being tried)\r\n"));
  CHECK(has(text, "Action: delayed\r\nStatus: 4.2.1\r\n"));
  CHECK(has(text, "Will-Retry-Until: Sun, 30 Nov 2025 10:00:00 +0000\r\n"));
  CHECK(has(text, "WARNING ONLY"));
}

TEST_CASE("relayed, failed and delayed recipients share a report, each with its own words") {
  Given given;
  DsnRecipient relayed = given.recipients[0];
  relayed.forward_path = "eve@example.org";
  relayed.action = DsnAction::relayed;
  relayed.status = {2, 1, 5};
  relayed.code = 250;
  relayed.text = "Ok";
  given.recipients.push_back(relayed);
  const std::string text = given.write();
  CHECK(has(text, "Final-Recipient: rfc822;eve@example.org\r\nAction: relayed\r\nStatus: 2.1.5\r\n"));
  CHECK(has(text, "Passed on to mx.example.org, which sends no confirmations"));
  CHECK(has(text, "Subject: Undelivered"));
}

TEST_CASE("a whole message is returned where it was asked for, eight-bit octets as they are") {
  Given given;
  given.return_content = true;
  std::string text = given.write();
  CHECK(has(text, "Content-Type: message/rfc822\r\n"));
  CHECK(has(text, given.content + "\r\n--=_"));
  CHECK_FALSE(given.form.eight_bit);
  given.content +=
      "Gr\xC3\xBC\xC3\x9F"
      "e, \xFF\r\n";
  text = given.write();
  CHECK(has(text,
            "Content-Type: message/rfc822\r\nContent-Description: The message\r\nContent-Transfer-Encoding: 8bit\r\n"));
  CHECK(has(text, given.content));
  CHECK(given.form.eight_bit);
  CHECK_FALSE(given.form.smtputf8);
}

TEST_CASE("what no part may hold is not returned whole: long lines, NULs") {
  for (const std::string& body : {std::string(2000, 'a') + "\r\n", std::string("a\0b\r\n", 5)}) {
    Given given;
    given.return_content = true;
    given.content += body;
    const std::string text = given.write();
    CHECK(has(text, "text/rfc822-headers"));
    CHECK(longest_line(text) <= 998);
    CHECK_FALSE(has(text, body));
  }
}

TEST_CASE("a header section with long lines or eight-bit octets is returned as quoted-printable") {
  Given given;
  given.content = "Subject: caf\xE9 = " + std::string(1500, 'y') + " \r\nX-Next: 1\r\n\r\nbody\r\n";
  const std::string text = given.write();
  CHECK(has(text, "text/rfc822-headers"));
  CHECK(has(text, "Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: caf=E9 =3D y"));
  CHECK(has(text, "y=20\r\nX-Next: 1\r\n"));
  CHECK(longest_line(text) <= 998);
  CHECK_FALSE(given.form.eight_bit);
}

TEST_CASE("addresses that are not ASCII: the forms of RFC 6533") {
  Given given;
  given.envelope.smtputf8 = true;
  given.recipients[0].forward_path = "\xCE\xB4\xCE\xBF@example.org";
  given.recipients[0].orcpt = "utf-8;\\x{3B4}\\x{3BF}@old.example";
  given.recipients[0].text = "\xCE\xB4 is unknown";
  given.content = "Subject: \xCE\xB4\r\n\r\nbody\r\n";
  std::string text = given.write();
  CHECK(has(text, "Content-Type: message/global-delivery-status\r\n"));
  CHECK(has(text, "Original-Recipient: utf-8;\xCE\xB4\xCE\xBF@old.example\r\n"));
  CHECK(has(text, "Final-Recipient: utf-8;\xCE\xB4\xCE\xBF@example.org\r\n"));
  CHECK(has(text, "Diagnostic-Code: smtp; 550 5.1.1 \xCE\xB4 is unknown\r\n"));
  CHECK(has(text, "Content-Type: message/global-headers\r\n"));
  CHECK(has(text, "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: \xCE\xB4\r\n"));
  CHECK(has(text, "charset=utf-8"));
  CHECK(given.form.eight_bit);
  CHECK_FALSE(given.form.smtputf8);  // its own header section is ASCII
  given.to = "\xCE\xB1@sender.example";
  text = given.write();
  CHECK(has(text, "To: <\xCE\xB1@sender.example>\r\n"));
  CHECK(given.form.smtputf8);
  given.return_content = true;
  CHECK(has(given.write(), "Content-Type: message/global\r\n"));
}

TEST_CASE("an escape that is no character stays as it was written") {
  Given given;
  given.envelope.smtputf8 = true;
  for (const View bad :
       {"utf-8;\\x{110000}@a", "utf-8;\\x{0A}@a", "utf-8;\\x{D800}@a", "utf-8;\\x{zz}@a", "utf-8;\\x{41@a"}) {
    given.recipients[0].orcpt = bad;
    CHECK(has(given.write(), std::string("Original-Recipient: ") + std::string(bad) + "\r\n"));
  }
}

TEST_CASE("a boundary that stands in the content is not used") {
  Given given;
  given.return_content = true;
  given.content += "--=_0000000000002/0000000000001234\r\n--=_0000000000002/0000000000001235--\r\n";
  CHECK(has(given.write(), "boundary=\"=_0000000000002/0000000000001236\"\r\n"));
}

TEST_CASE("a header section ends at its empty line, at what is no field, and at its bound") {
  Given given;
  given.content = "Received: by us\r\nhello, no field\r\n\r\nX-Not: header\r\n";
  CHECK(has(given.write(), "7bit\r\n\r\nReceived: by us\r\n\r\n--"));
  given.content = "Received: by us\r\n\r\n\r\n";
  CHECK(has(given.write(), "7bit\r\n\r\nReceived: by us\r\n\r\n--"));
  given.content = "Received: by us\r\n";
  for (int i = 0; i < 5000; ++i) given.content += "X-Field: " + std::string(20, 'f') + "\r\n folded\r\n";
  const std::string text = given.write();
  CHECK(text.size() < kDsnHeader + 4096);
  CHECK(has(text, "\r\n folded\r\n\r\n--"));  // whole fields only
}

TEST_CASE("a Message-ID that may not be repeated is left out") {
  for (const View field : {View{"Message-ID: none\r\n"}, View{"Message-ID: <a b>\r\n"}, View{"Message-ID: <a\x80>\r\n"},
                           View{"X: 1\r\n"}}) {
    Given given;
    given.content = std::string(field) + "\r\n";
    const std::string text = given.write();
    CHECK_FALSE(has(text, "In-Reply-To"));
  }
  Given folded;
  folded.content = "message-id:\r\n <two@sender.example>\r\n\r\n";
  CHECK(has(folded.write(), "References: <two@sender.example>\r\n"));
}

TEST_CASE("many recipients: all for machines, the first ones for people") {
  Given given;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kDsnRecipients; ++i) names.push_back("user" + std::to_string(i) + "@example.org");
  const DsnRecipient one = given.recipients[0];
  given.recipients.clear();
  for (const std::string& name : names) {
    given.recipients.push_back(one);
    given.recipients.back().forward_path = name;
  }
  const std::string text = given.write();
  CHECK(has(text, "<user49@example.org>"));
  CHECK_FALSE(has(text, "<user50@example.org>"));
  CHECK(has(text, "... and 950 more"));
  CHECK(has(text, "Final-Recipient: rfc822;user999@example.org"));
}

TEST_CASE("a postmaster is told of mail without a sender, in words of its own") {
  Given given;
  given.to = "postmaster@example.net";
  given.to_postmaster = true;
  given.from_name = "Mail \"Daemon\" (x)";
  const std::string text = given.write();
  CHECK(has(text, "From: \"Mail \\\"Daemon\\\" (x)\" <MAILER-DAEMON@mx1.example.net>\r\n"));
  CHECK(has(text, "Subject: Postmaster: undelivered mail without a sender\r\n"));
  CHECK(has(text, "Nobody else is told."));
}

}  // namespace ringpost::report
