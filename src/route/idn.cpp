// Domains as destinations are called. The only file that knows libidn2.
#include <idn2.h>

#include <algorithm>

#include "ringpost/route.h"

namespace ringpost::route {

std::string domain_name(View domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  std::string name(domain);
  const bool ascii = std::all_of(domain.begin(), domain.end(), [](char c) { return (c & 0x80) == 0; });
  char* converted = nullptr;
  // RFC 5891 5 by way of UTS 46, without the transitional exceptions, as browsers and registries have it today.
  if (!ascii && idn2_to_ascii_8z(name.c_str(), &converted, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK) {
    name = converted;
    idn2_free(converted);
  }
  std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
  return name;
}

}  // namespace ringpost::route
