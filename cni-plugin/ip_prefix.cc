// SPDX-License-Identifier: Apache-2.0
#include "ip_prefix.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip::cni {

absl::StatusOr<IpPrefix> ParsePrefix(absl::string_view text) {
  const size_t slash = text.find('/');
  IpPrefix prefix;
  EOIP_ASSIGN_OR_RETURN(prefix.address,
                        IpAddress::Parse(text.substr(0, slash)));
  const uint32_t most = prefix.address.is_v6() ? 128 : 32;
  uint32_t length = most;
  if (slash != absl::string_view::npos &&
      (!absl::SimpleAtoi(text.substr(slash + 1), &length) || length > most)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", absl::CHexEscape(text), "' has no prefix length of 0 to ", most));
  }
  prefix.length = static_cast<uint8_t>(length);
  return prefix;
}

IpPrefix NetworkOf(const IpPrefix& prefix) {
  std::string bytes(prefix.address.bytes());
  for (size_t bit = prefix.length; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] & ~(0x80 >> (bit % 8)));
  }
  return {*IpAddress::FromBytes(bytes), prefix.length};
}

}  // namespace eoip::cni
