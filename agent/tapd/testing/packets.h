// SPDX-License-Identifier: Apache-2.0
//
// Packets as bytes, made and read without any code of eoip-tapd, from RouterOS
// captures and the RFCs.
#ifndef EOIP_TAPD_TESTING_PACKETS_H_
#define EOIP_TAPD_TESTING_PACKETS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tapd/testing/netns.h"

namespace eoip::tapd::testing {

using Bytes = std::vector<uint8_t>;

// "20 01 64 00" → bytes.
Bytes FromHex(const std::string& hex);
std::string ToHex(const Bytes& bytes);
Bytes Concat(const Bytes& a, const Bytes& b);

// One's complement sum of 16-bit words, complemented: RFC 1071.
uint16_t InternetChecksum(const Bytes& bytes);

struct OuterOptions {
  uint8_t ttl = 255;
  uint8_t tos = 0;
  uint16_t id = 1;
  bool dont_fragment = false;
  // IPv4 options, a multiple of 4 bytes; IPv6: a destination options header.
  Bytes options;
};

// IP packets; addresses as text.
Bytes MakeIpv4(const std::string& from, const std::string& to, uint8_t protocol,
               const Bytes& payload, const OuterOptions& options = {});
Bytes MakeIpv6(const std::string& from, const std::string& to,
               uint8_t next_header, const Bytes& payload,
               const OuterOptions& options = {});
// Cuts an IP packet without extension headers into fragments with at most
// payload_size (a multiple of 8) bytes each.
std::vector<Bytes> Fragment(const Bytes& packet, size_t payload_size);

// EoIP and EoIPv6 headers as captured: the length and id are what is asked for,
// right or wrong.
Bytes EoipHeader(uint16_t id, uint16_t length);
Bytes Eoipv6Header(uint16_t id);

// What is read of an IP packet, whole or put together from fragments.
struct IpPacket {
  bool ipv6 = false;
  uint8_t protocol = 0;
  std::string from, to;
  uint8_t ttl = 0;
  uint8_t tos = 0;
  uint32_t flow_label = 0;
  bool dont_fragment = false;
  int fragments = 1;
  Bytes payload;
};

// A packet socket on a link: sends and receives whole Ethernet frames.
class LinkSocket {
 public:
  LinkSocket(const Netns& netns, const std::string& link);

  void Send(const Bytes& frame);

  // For system calls of one's own.
  int fd() const { return fd_.get(); }

  // The next frame that fits, or nothing when the time is over. Others are
  // thrown away.
  std::optional<Bytes> Receive(
      const std::function<bool(const Bytes&)>& fits,
      std::chrono::milliseconds timeout = std::chrono::seconds(5));
  std::optional<Bytes> Receive(
      std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
    return Receive([](const Bytes&) { return true; }, timeout);
  }
  // The next IP packet of the protocol, fragments put together. Checks header
  // checksums.
  std::optional<IpPacket> ReceiveIp(
      uint8_t protocol,
      std::chrono::milliseconds timeout = std::chrono::seconds(5));

 private:
  UniqueFd fd_;
};

// An Ethernet frame of size bytes (≥ 14) with a payload that tells frames
// apart. ethertype 0x88b5 is free for experiments.
Bytes TestFrame(size_t size, uint8_t seed, uint16_t ethertype = 0x88b5);

}  // namespace eoip::tapd::testing

#endif  // EOIP_TAPD_TESTING_PACKETS_H_
