// SPDX-License-Identifier: Apache-2.0
//
// Right TCP and UDP frames, made without any code of eoip-tapd.
#ifndef EOIP_TAPD_TESTING_FLOW_FRAMES_H_
#define EOIP_TAPD_TESTING_FLOW_FRAMES_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tapd/testing/packets.h"

namespace eoip::tapd::testing {

inline constexpr uint8_t kFin = 1, kSyn = 2, kPsh = 8, kAck = 16, kCwr = 128;

inline Bytes Random(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  return bytes;
}

inline void Put(Bytes* b, size_t at, int size, uint32_t value) {
  for (int i = size - 1; i >= 0; --i, value >>= 8) {
    (*b)[at + i] = static_cast<uint8_t>(value);
  }
}

struct Segment {
  bool ipv6 = false;
  bool vlan = false;
  bool udp = false;
  uint32_t seq = 1000;
  uint32_t ack = 77;
  uint16_t window = 500;
  uint8_t flags = kAck;
  uint16_t ip_id = 10;
  bool dont_fragment = false;
  uint8_t tos = 0;
  uint16_t source_port = 4000;
  Bytes options;
  Bytes payload;
};

// A whole right frame.
inline Bytes MakeFrame(const Segment& s) {
  const char* from = s.ipv6 ? "fd00::1" : "10.0.0.1";
  const char* to = s.ipv6 ? "fd00::2" : "10.0.0.2";
  const uint8_t protocol = s.udp ? 17 : 6;
  Bytes l4(s.udp ? 8 : 20);
  Put(&l4, 0, 2, s.source_port);
  Put(&l4, 2, 2, 5001);
  if (s.udp) {
    Put(&l4, 4, 2, static_cast<uint32_t>(8 + s.payload.size()));
  } else {
    Put(&l4, 4, 4, s.seq);
    Put(&l4, 8, 4, s.ack);
    l4[12] = static_cast<uint8_t>((20 + s.options.size()) / 4 << 4);
    l4[13] = s.flags;
    Put(&l4, 14, 2, s.window);
    l4 = Concat(l4, s.options);
  }
  l4 = Concat(l4, s.payload);
  OuterOptions ip_options;
  ip_options.ttl = 64;
  ip_options.tos = s.tos;
  ip_options.id = s.ip_id;
  ip_options.dont_fragment = s.dont_fragment;
  Bytes ip = s.ipv6 ? MakeIpv6(from, to, protocol, {}, ip_options)
                    : MakeIpv4(from, to, protocol, {}, ip_options);
  Bytes pseudo = s.ipv6 ? Bytes(ip.begin() + 8, ip.begin() + 40)
                        : Bytes(ip.begin() + 12, ip.begin() + 20);
  pseudo.resize(pseudo.size() + 8);
  Put(&pseudo, pseudo.size() - 8, 4, static_cast<uint32_t>(l4.size()));
  pseudo.back() = protocol;
  uint16_t sum = InternetChecksum(Concat(pseudo, l4));
  if (s.udp && sum == 0) sum = 0xffff;
  Put(&l4, s.udp ? 6 : 16, 2, sum);
  ip = s.ipv6 ? MakeIpv6(from, to, protocol, l4, ip_options)
              : MakeIpv4(from, to, protocol, l4, ip_options);
  return Concat(
      FromHex(std::string("0200000000aa020000000011") +
              (s.vlan ? "81000005" : "") + (s.ipv6 ? "86dd" : "0800")),
      ip);
}

// Every kind of frame: both families, with VLAN tag and without, TCP and UDP.
inline std::vector<Segment> Kinds() {
  std::vector<Segment> kinds;
  for (bool ipv6 : {false, true}) {
    for (bool vlan : {false, true}) {
      for (bool udp : {false, true}) {
        Segment s;
        s.ipv6 = ipv6, s.vlan = vlan, s.udp = udp;
        if (!udp) s.options = FromHex("0101080a0102030405060708");
        kinds.push_back(s);
      }
    }
  }
  return kinds;
}

// The frames of size payload bytes each (the last may be shorter) that carry
// data, as a sender would make them.
inline std::vector<Bytes> MakeTrain(Segment s, const Bytes& data, size_t size,
                                    uint8_t last_flags = kAck) {
  std::vector<Bytes> frames;
  for (size_t at = 0; at < data.size(); at += size) {
    const size_t n = std::min(size, data.size() - at);
    s.payload.assign(data.begin() + at, data.begin() + at + n);
    if (at + n == data.size() && !s.udp) s.flags = last_flags;
    frames.push_back(MakeFrame(s));
    s.seq += static_cast<uint32_t>(n);
    ++s.ip_id;
  }
  return frames;
}

}  // namespace eoip::tapd::testing

#endif  // EOIP_TAPD_TESTING_FLOW_FRAMES_H_
