// Requests of the control socket: any octets are a request or an error that says why; what is a request can be written
// as one and is the same again. The same members, given as the words of a query string, mean the same.
#include <cstdint>
#include <string>

#include "ringpost/base/check.h"
#include "ringpost/control.h"

namespace {

using ringpost::View;
namespace control = ringpost::control;

void check_line(View input) {
  const auto request = control::parse_request(input);
  if (!request) {
    CHECK(!request.error().text.empty());
    return;
  }
  const std::string line = control::request_line(*request);
  CHECK(line.find('\n') == std::string::npos);
  const auto again = control::parse_request(line);
  CHECK(again && control::request_line(*again) == line);
  CHECK(control::facts_of(request->command).command == request->command);
}

void check_member(View input) {
  const std::size_t end = input.find('=');
  if (end == View::npos) return;
  control::Request request;
  std::string why;
  if (!control::set_member(request, input.substr(0, end), input.substr(end + 1), why)) {
    CHECK(!why.empty());
    return;
  }
  CHECK(control::parse_request(control::request_line(request)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input{reinterpret_cast<const char*>(data), size};
  check_line(input);
  check_member(input);
  return 0;
}
