// SPDX-License-Identifier: Apache-2.0
//
// Everything that reads netlink messages, on any bytes. The input is a message
// without its first 4 bytes, the length, which NLMSG_OK has checked by then.
#include <linux/netlink.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "netlink/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint32_t length = static_cast<uint32_t>(size + sizeof(uint32_t));
  if (length < sizeof(nlmsghdr)) return 0;
  // Of exactly this size, so that the sanitizer sees what is read behind it.
  const std::unique_ptr<void, decltype(&std::free)> block(std::malloc(length),
                                                          &std::free);
  std::memcpy(block.get(), &length, sizeof(length));
  std::memcpy(static_cast<char*>(block.get()) + sizeof(length), data, size);
  const auto* message = static_cast<const nlmsghdr*>(block.get());

  const auto link = eoip::ParseLink(message);
  if (link.ok() && (link->name.empty() || link->ifindex == 0 ||
                    (link->tunnel && link->foreign_eoip))) {
    std::abort();
  }
  eoip::ParseReading(message).status().IgnoreError();
  eoip::ParseNews(message).status().IgnoreError();
  const auto vlans = eoip::ParseVlans(message);
  if (vlans.ok()) {
    for (const eoip::PortVlanRange& range : vlans->vlans) {
      if (range.first < 1 || range.last < range.first || range.last > 4094) {
        std::abort();
      }
    }
    eoip::DiffVlans(vlans->vlans, {});
  }
  eoip::ParsePin(message).status().IgnoreError();
  const auto reply = eoip::ParseReply(message);
  if (reply.ok()) {
    eoip::ParseProbe(*reply).status().IgnoreError();
    reply->ToStatus("fuzz").IgnoreError();
  }
  return 0;
}
