// Commands and their parameters, with the codes that their mistakes get.
#include <doctest/doctest.h>

#include <string>

#include "ringpost/smtp.h"

namespace ringpost::smtp {

namespace {

// "501 5.5.4" of a refusal, "ok" of a command.
template <class T>
std::string verdict(const Parsed<T>& parsed) {
  if (parsed) return "ok";
  std::array<char, EnhancedCode::kTextLength> room;
  return std::to_string(parsed.error().code) + " " + std::string(parsed.error().enhanced.write(room));
}

std::string mail(std::string_view argument) { return verdict(parse_mail(argument)); }
std::string rcpt(std::string_view argument, bool smtputf8 = false) { return verdict(parse_rcpt(argument, smtputf8)); }

}  // namespace

TEST_CASE("verbs in any case, arguments trimmed of blanks") {
  CHECK(split_command("ehlo  mx.example ").verb == Verb::ehlo);
  CHECK(split_command("ehlo  mx.example ").argument == "mx.example");
  CHECK(split_command("Mail FROM:<>").verb == Verb::mail);
  CHECK(split_command("DATA").verb == Verb::data);
  CHECK(split_command("DATA").argument.empty());
  CHECK(split_command("DATA \t").argument.empty());
  CHECK(split_command("DATA x").argument == "x");
  for (const Verb verb : {Verb::ehlo, Verb::helo, Verb::mail, Verb::rcpt, Verb::data, Verb::bdat, Verb::rset,
                          Verb::noop, Verb::quit, Verb::vrfy, Verb::expn, Verb::help, Verb::starttls, Verb::auth})
    CHECK(split_command(verb_name(verb)).verb == verb);
}

TEST_CASE("what is no verb is unknown") {
  for (const std::string_view line :
       {"", " ", " EHLO a", "EHL", "EHLOO", "MAILFROM:<>", "?", "GET / HTTP/1.1", "DATA\x01", "\xFF"})
    CHECK(split_command(line).verb == Verb::unknown);
  CHECK(split_command(std::string_view("DATA\0", 5)).verb == Verb::unknown);
}

TEST_CASE("EHLO takes any harmless name and says whether it is valid") {
  CHECK(parse_hello("mx.example.com")->valid);
  CHECK(parse_hello("[192.0.2.1]")->valid);
  CHECK(parse_hello("[IPv6:2001:db8::1]")->valid);
  CHECK(parse_hello("my_pc")->valid);
  for (const std::string_view odd : {"[192.0.2]", "a..b", "a.", "-", "john's pc", "two words", "a(b)"}) {
    CAPTURE(odd);
    REQUIRE(parse_hello(odd));
    CHECK_FALSE(parse_hello(odd)->valid);
  }
  CHECK(parse_hello("two words")->name == "two");
  CHECK(verdict(parse_hello("")) == "501 5.5.4");
  CHECK(verdict(parse_hello("b\xC3\xBC")) == "501 5.5.4");
  CHECK(verdict(parse_hello(std::string_view("a\0b", 3))) == "501 5.5.4");
  CHECK(verdict(parse_hello(std::string(256, 'a'))) == "501 5.5.4");
}

TEST_CASE("MAIL with every parameter") {
  const auto parsed =
      parse_mail("FROM:<a@example.com> SIZE=12345 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q+2B1 AUTH=b+40example.com");
  REQUIRE(parsed);
  CHECK(parsed->from.text == "a@example.com");
  CHECK(parsed->size == 12345);
  CHECK(parsed->body == BodyType::eight_bit_mime);
  CHECK(parsed->smtputf8);
  CHECK(parsed->ret == DsnReturn::headers);
  CHECK(parsed->envid == "Q+2B1");
  CHECK(parsed->auth == "b+40example.com");
}

TEST_CASE("MAIL without parameters, the null path, blanks and case that the field uses") {
  CHECK(parse_mail("FROM:<>")->from.null());
  CHECK(parse_mail("from:<a@b>")->from.text == "a@b");
  CHECK(parse_mail("FROM: <a@b>")->from.text == "a@b");
  CHECK(parse_mail("FROM:<a@b>   size=1   body=7bit ")->size == 1);
  CHECK_FALSE(parse_mail("FROM:<a@b>")->size);
  CHECK(parse_mail("FROM:<a@b> AUTH=<>")->auth == "<>");
  CHECK(parse_mail("FROM:<a@b> SIZE=99999999999999999999")->size == 18446744073709551615U);
}

TEST_CASE("a source route is taken and ignored") {
  CHECK(parse_mail("FROM:<@one.example,@two.example:a@b>")->from.text == "a@b");
  CHECK(parse_rcpt("TO:<@[192.0.2.1]:a@b>", false)->to.text == "a@b");
  for (const std::string_view path :
       {"<@one:>", "<@one>", "<@:a@b>", "<@one,two:a@b>", "<@one,:a@b>", "<@one@two:a@b>", "<one:a@b>"})
    CHECK(rcpt("TO:" + std::string(path)) == "501 5.1.3");
}

TEST_CASE("MAIL mistakes and their codes") {
  CHECK(mail("") == "501 5.5.4");
  CHECK(mail("TO:<a@b>") == "501 5.5.4");
  CHECK(mail("FROM") == "501 5.5.4");
  CHECK(mail("FROM <a@b>") == "501 5.5.4");
  CHECK(mail("FROM:") == "501 5.1.7");
  CHECK(mail("FROM:a@b") == "501 5.1.7");
  CHECK(mail("FROM:<a@b") == "501 5.1.7");
  CHECK(mail("FROM:a@b>") == "501 5.1.7");
  CHECK(mail("FROM:<a@b>>") == "501 5.1.7");
  CHECK(mail("FROM:<a@b>SIZE=1") == "501 5.1.7");
  CHECK(mail("FROM:< a@b>") == "501 5.1.7");
  CHECK(mail("FROM:<a>") == "501 5.1.7");
  CHECK(mail("FROM:<postmaster>") == "501 5.1.7");
  CHECK(mail(std::string_view("FROM:<a\0@b>", 11)) == "501 5.1.7");
  CHECK(mail("FROM:<a@b> FOO=1") == "555 5.5.4");
  CHECK(mail("FROM:<a@b> NOTIFY=NEVER") == "555 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE=1 SIZE=2") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE=") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE=x") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE=-1") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE=123456789012345678901") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> =1") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> BODY=BINARYMIME") == "504 5.5.4");
  CHECK(mail("FROM:<a@b> BODY=9BIT") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SMTPUTF8=1") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> RET=ALL") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> ENVID=a+b") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> ENVID=+00") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> ENVID=" + std::string(kEnvid, 'e')) == "ok");
  CHECK(mail("FROM:<a@b> ENVID=" + std::string(kEnvid + 1, 'e')) == "501 5.5.4");
  CHECK(mail("FROM:<a@b> AUTH=a+b") == "501 5.5.4");
  CHECK(mail("FROM:<a@b> SIZE=1\x01") == "501 5.5.4");
}

TEST_CASE("octets above 127 need SMTPUTF8, wherever it stands in the command") {
  CHECK(mail("FROM:<ü@b>") == "553 5.6.7");
  CHECK(mail("FROM:<ü@b> SMTPUTF8") == "ok");
  CHECK(mail("FROM:<\xFC@b> SMTPUTF8") == "501 5.1.7");
  CHECK(rcpt("TO:<ü@b>") == "553 5.6.7");
  CHECK(rcpt("TO:<ü@b>", true) == "ok");
}

TEST_CASE("RCPT with every parameter") {
  const auto parsed = parse_rcpt("TO:<b@example.com> NOTIFY=SUCCESS,delay ORCPT=rfc822;B+2Bc@example.com", false);
  REQUIRE(parsed);
  CHECK(parsed->to.text == "b@example.com");
  CHECK(parsed->notify == (kNotifySuccess | kNotifyDelay));
  CHECK(parsed->orcpt == "rfc822;B+2Bc@example.com");
  CHECK(parse_rcpt("TO:<b@c> NOTIFY=NEVER", false)->notify == kNotifyNever);
}

TEST_CASE("postmaster needs no domain, in any case") {
  for (const std::string_view path : {"<postmaster>", "<Postmaster>", "<POSTMASTER>"}) {
    const auto parsed = parse_rcpt("TO:" + std::string(path), false);
    REQUIRE(parsed);
    CHECK(parsed->to.domain.empty());
    CHECK_FALSE(parsed->to.null());
  }
  CHECK(rcpt("TO:<abuse>") == "501 5.1.3");
}

TEST_CASE("RCPT mistakes and their codes") {
  CHECK(rcpt("TO:<>") == "501 5.1.3");
  CHECK(rcpt("FROM:<a@b>") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> SIZE=1") == "555 5.5.4");
  CHECK(rcpt("TO:<a@b> NOTIFY=NEVER,SUCCESS") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> NOTIFY=SUCCESS,") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> NOTIFY=") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=a@b") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=;a@b") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=rfc822;") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=rfc822;a+b") == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=rfc822;" + std::string(kOrcpt - 7, 'o')) == "ok");
  CHECK(rcpt("TO:<a@b> ORCPT=rfc822;" + std::string(kOrcpt - 6, 'o')) == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=utf-8;ü@b", true) == "ok");
  CHECK(rcpt("TO:<a@b> ORCPT=utf-8;ü@b", false) == "501 5.5.4");
  CHECK(rcpt("TO:<a@b> ORCPT=rfc822;ü@b", true) == "501 5.5.4");
}

TEST_CASE("a quoted local part may hold what would end the path") {
  CHECK(parse_rcpt("TO:<\"a>b c\"@d> NOTIFY=NEVER", false)->to.local_part == "\"a>b c\"");
  CHECK(parse_rcpt("TO:<\"a\\\">b\"@d>", false)->to.local_part == "\"a\\\">b\"");
}

TEST_CASE("BDAT") {
  CHECK(parse_bdat("0 LAST")->last);
  CHECK(parse_bdat("1000")->size == 1000);
  CHECK_FALSE(parse_bdat("1000")->last);
  CHECK(parse_bdat("86000  last")->size == 86000);
  for (const std::string_view argument :
       {"", "LAST", "-1", "1x", "1 LAST x", "1 FIRST", "0x10", "123456789012345678901"})
    CHECK(verdict(parse_bdat(argument)) == "501 5.5.4");
}

}  // namespace ringpost::smtp
