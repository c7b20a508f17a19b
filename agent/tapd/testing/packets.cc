// SPDX-License-Identifier: Apache-2.0
#include "tapd/testing/packets.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "gtest/gtest.h"

namespace eoip::tapd::testing {
namespace {

using Clock = std::chrono::steady_clock;

void Put16(Bytes* b, size_t at, uint32_t v) {
  (*b)[at] = static_cast<uint8_t>(v >> 8);
  (*b)[at + 1] = static_cast<uint8_t>(v);
}
uint16_t Get16(const Bytes& b, size_t at) {
  return static_cast<uint16_t>(b[at] << 8 | b[at + 1]);
}

std::string Text(int family, const uint8_t* address) {
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(family, address, text, sizeof(text));
  return text;
}

// Payload by offset, until the last fragment and all before it are there.
struct Reassembly {
  std::map<size_t, Bytes> parts;
  std::optional<size_t> total;

  std::optional<Bytes> Whole() const {
    if (!total.has_value()) return std::nullopt;
    Bytes whole;
    for (const auto& [offset, bytes] : parts) {
      if (offset != whole.size()) return std::nullopt;
      whole.insert(whole.end(), bytes.begin(), bytes.end());
    }
    if (whole.size() != *total) return std::nullopt;
    return whole;
  }
};

}  // namespace

Bytes FromHex(const std::string& hex) {
  Bytes bytes;
  std::string digits;
  for (char c : hex) {
    if (c != ' ') digits.push_back(c);
  }
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(
        static_cast<uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string ToHex(const Bytes& bytes) {
  std::string out;
  char digits[4];
  for (uint8_t b : bytes) {
    std::snprintf(digits, sizeof(digits), "%02x ", b);
    out += digits;
  }
  return out;
}

Bytes Concat(const Bytes& a, const Bytes& b) {
  Bytes out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

uint16_t InternetChecksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Bytes MakeIpv4(const std::string& from, const std::string& to, uint8_t protocol,
               const Bytes& payload, const OuterOptions& options) {
  Bytes header(20);
  header.insert(header.end(), options.options.begin(), options.options.end());
  header[0] = static_cast<uint8_t>(0x40 | header.size() / 4);
  header[1] = options.tos;
  Put16(&header, 2, static_cast<uint32_t>(header.size() + payload.size()));
  Put16(&header, 4, options.id);
  if (options.dont_fragment) header[6] = 0x40;
  header[8] = options.ttl;
  header[9] = protocol;
  ::inet_pton(AF_INET, from.c_str(), &header[12]);
  ::inet_pton(AF_INET, to.c_str(), &header[16]);
  Put16(&header, 10, InternetChecksum(header));
  return Concat(header, payload);
}

Bytes MakeIpv6(const std::string& from, const std::string& to,
               uint8_t next_header, const Bytes& payload,
               const OuterOptions& options) {
  Bytes header(40);
  header[0] = static_cast<uint8_t>(0x60 | options.tos >> 4);
  header[1] = static_cast<uint8_t>(options.tos << 4);
  Bytes body = payload;
  header[6] = next_header;
  if (!options.options.empty()) {
    body = Concat(options.options, payload);
    body[0] = next_header;
    header[6] = 60;
  }
  Put16(&header, 4, static_cast<uint32_t>(body.size()));
  header[7] = options.ttl;
  ::inet_pton(AF_INET6, from.c_str(), &header[8]);
  ::inet_pton(AF_INET6, to.c_str(), &header[24]);
  return Concat(header, body);
}

std::vector<Bytes> Fragment(const Bytes& packet, size_t payload_size) {
  const bool ipv6 = packet[0] >> 4 == 6;
  const size_t header_size = ipv6 ? 40 : (packet[0] & 0xf) * 4;
  std::vector<Bytes> fragments;
  for (size_t at = header_size; at < packet.size(); at += payload_size) {
    const size_t end = std::min(packet.size(), at + payload_size);
    const bool more = end < packet.size();
    const size_t offset = at - header_size;
    Bytes part(packet.begin() + at, packet.begin() + end);
    Bytes header(packet.begin(), packet.begin() + header_size);
    if (ipv6) {
      Bytes extension = {header[6], 0, 0, 0, 0, 0, 0x12, 0x34};
      Put16(&extension, 2, offset | (more ? 1 : 0));
      header[6] = 44;
      part = Concat(extension, part);
      Put16(&header, 4, part.size());
    } else {
      Put16(&header, 2, header_size + part.size());
      Put16(&header, 6, offset / 8 | (more ? 0x2000 : 0));
      Put16(&header, 10, 0);
      Put16(&header, 10, InternetChecksum(header));
    }
    fragments.push_back(Concat(header, part));
  }
  return fragments;
}

Bytes EoipHeader(uint16_t id, uint16_t length) {
  return {0x20,
          0x01,
          0x64,
          0x00,
          static_cast<uint8_t>(length >> 8),
          static_cast<uint8_t>(length),
          static_cast<uint8_t>(id),
          static_cast<uint8_t>(id >> 8)};
}

Bytes Eoipv6Header(uint16_t id) {
  return {static_cast<uint8_t>((id >> 8) * 16 + 3), static_cast<uint8_t>(id)};
}

LinkSocket::LinkSocket(const Netns& netns, const std::string& link) {
  netns.Run([&] {
    // With a protocol it would hear every link until it is bound.
    fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(link.c_str()));
    const int one = 1;
    const int size = 64 << 20;
    if (::setsockopt(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
                     sizeof(one)) != 0 ||
        ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address),
               sizeof(address)) != 0) {
      fd_.reset();
      return;
    }
    ::setsockopt(fd_.get(), SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
  });
  EXPECT_TRUE(fd_.valid()) << "packet socket on " << link;
}

void LinkSocket::Send(const Bytes& frame) {
  EXPECT_EQ(::send(fd_.get(), frame.data(), frame.size(), 0),
            static_cast<ssize_t>(frame.size()))
      << std::strerror(errno) << " at " << frame.size() << " bytes";
}

std::optional<Bytes> LinkSocket::Receive(
    const std::function<bool(const Bytes&)>& fits,
    std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() < 0) return std::nullopt;
    pollfd p{fd_.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(left.count())) <= 0) continue;
    Bytes frame(70000);
    iovec iov{frame.data(), frame.size()};
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t n = ::recvmsg(fd_.get(), &message, 0);
    if (n < 0) continue;
    frame.resize(static_cast<size_t>(n));
    // The kernel takes VLAN tags out of frames on receive.
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
         c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) {
        continue;
      }
      tpacket_auxdata aux;
      std::memcpy(&aux, CMSG_DATA(c), sizeof(aux));
      if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0) continue;
      Bytes tag(4);
      Put16(&tag, 0, aux.tp_vlan_tpid);
      Put16(&tag, 2, aux.tp_vlan_tci);
      frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    }
    if (fits(frame)) return frame;
  }
}

std::optional<IpPacket> LinkSocket::ReceiveIp(
    uint8_t protocol, std::chrono::milliseconds timeout) {
  std::map<std::pair<std::string, uint32_t>, Reassembly> pending;
  std::optional<IpPacket> result;
  auto take = [&](const Bytes& frame) {
    IpPacket ip;
    Bytes b(frame.begin() + 14, frame.end());
    size_t offset = 0, header_size = 0, end = 0;
    bool more = false;
    uint32_t id = 0;
    if (Get16(frame, 12) == 0x0800 && b.size() >= 20) {
      header_size = (b[0] & 0xf) * 4;
      end = Get16(b, 2);
      EXPECT_EQ(InternetChecksum(Bytes(b.begin(), b.begin() + header_size)), 0);
      ip.protocol = b[9];
      ip.ttl = b[8];
      ip.tos = b[1];
      ip.dont_fragment = (b[6] & 0x40) != 0;
      ip.from = Text(AF_INET, &b[12]);
      ip.to = Text(AF_INET, &b[16]);
      id = Get16(b, 4);
      more = (b[6] & 0x20) != 0;
      offset = (Get16(b, 6) & 0x1fff) * 8u;
    } else if (Get16(frame, 12) == 0x86dd && b.size() >= 40) {
      ip.ipv6 = true;
      header_size = 40;
      end = 40u + Get16(b, 4);
      ip.protocol = b[6];
      ip.ttl = b[7];
      ip.tos = static_cast<uint8_t>(b[0] << 4 | b[1] >> 4);
      ip.flow_label = (b[1] & 0xfu) << 16 | Get16(b, 2);
      ip.from = Text(AF_INET6, &b[8]);
      ip.to = Text(AF_INET6, &b[24]);
      if (ip.protocol == 44) {
        ip.protocol = b[40];
        offset = Get16(b, 42) & 0xfff8;
        more = (b[43] & 1) != 0;
        id = static_cast<uint32_t>(Get16(b, 44)) << 16 | Get16(b, 46);
        header_size = 48;
      }
    } else {
      return false;
    }
    if (ip.protocol != protocol || end > b.size()) return false;
    Reassembly& r = pending[{ip.from, id}];
    Bytes part(b.begin() + header_size, b.begin() + end);
    if (!more) r.total = offset + part.size();
    r.parts[offset] = std::move(part);
    const std::optional<Bytes> whole = r.Whole();
    if (!whole.has_value()) return false;
    ip.payload = *whole;
    ip.fragments = static_cast<int>(r.parts.size());
    result = ip;
    return true;
  };
  Receive(take, timeout);
  return result;
}

Bytes TestFrame(size_t size, uint8_t seed, uint16_t ethertype) {
  Bytes frame(size);
  for (size_t i = 14; i < size; ++i) {
    frame[i] = static_cast<uint8_t>(seed + i * 7 + i / 256);
  }
  const Bytes addresses = {0x02, 0, 0, 0, 0, 0xaa, 0x02, 0, 0, 0, 0, seed};
  std::copy(addresses.begin(), addresses.end(), frame.begin());
  Put16(&frame, 12, ethertype);
  return frame;
}

}  // namespace eoip::tapd::testing
