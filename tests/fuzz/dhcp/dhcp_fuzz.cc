// SPDX-License-Identifier: Apache-2.0
//
// Whatever reads what a network or a disk may have damaged: frames, DHCP
// messages behind right headers, lease files. The first byte chooses.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "dhcp/lease_file.h"
#include "dhcp/message.h"
#include "dhcp/test_frames.h"

namespace {

// A lease that is handed on holds only what a pod can use.
void Check(absl::string_view frame) {
  // Of exactly this size, so that the sanitizer sees what is read behind it.
  const std::unique_ptr<char[]> block(new char[frame.size()]);
  frame.copy(block.get(), frame.size());
  const auto reply = eoip::ParseFrame({block.get(), frame.size()},
                                      eoip::testing_dhcp::kMac, true);
  if (!reply.ok() || reply->type == eoip::DhcpType::kNak) return;
  const eoip::Lease& lease = reply->lease;
  if (!lease.address.IsUsableUnicast() || lease.prefix_length < 1 ||
      lease.prefix_length > 32 || (lease.mtu != 0 && lease.mtu < 68)) {
    std::abort();
  }
  for (const eoip::LeaseRoute& route : lease.routes) {
    if (route.prefix_length > 32) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1,
                               size - 1);
  switch (data[0]) {
    case 'f':
      Check(rest);
      break;
    case 'm': {
      if (rest.size() > 1500) return 0;
      std::string frame =
          eoip::testing_dhcp::MakeReply(5, "192.0.2.7", "").substr(0, 42);
      frame.append(rest.data(), rest.size());
      Check(eoip::testing_dhcp::FixUp(frame));
      break;
    }
    case 'l': {
      const auto record = eoip::ParseLeaseRecord(rest);
      if (!record.ok()) break;
      const std::string text = eoip::PrintLeaseRecord(*record);
      const auto again = eoip::ParseLeaseRecord(text);
      if (!again.ok() || eoip::PrintLeaseRecord(*again) != text) std::abort();
      break;
    }
  }
  return 0;
}
