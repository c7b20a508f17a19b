// SPDX-License-Identifier: Apache-2.0
#include "announce.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/status.h"
#include "base/unique_fd.h"

namespace eoip::cni {
namespace {

std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (int value : values) bytes += static_cast<char>(value);
  return bytes;
}

std::string Bytes(const MacAddress& mac) {
  return {reinterpret_cast<const char*>(mac.bytes().data()), 6};
}

std::string ArpAnnouncement(const std::string& ip, const std::string& mac) {
  const std::string broadcast(6, '\xff');
  return broadcast + mac + Bytes({0x08, 0x06}) +
         // Ethernet, IPv4, 6 and 4 bytes, request
         Bytes({0, 1, 0x08, 0x00, 6, 4, 0, 1}) + mac + ip +
         std::string(6, '\0') + ip;
}

uint16_t InternetChecksum(const std::string& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i]))
           << (i % 2 == 0 ? 8 : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

std::string NeighbourAdvertisement(const std::string& ip,
                                   const std::string& mac) {
  const std::string all_nodes =
      Bytes({0xff, 0x02}) + std::string(13, '\0') + Bytes({1});
  // Type 136; the override flag; target; option 2: its link-layer address.
  std::string icmp =
      Bytes({136, 0, 0, 0, 0x20, 0, 0, 0}) + ip + Bytes({2, 1}) + mac;
  const auto length = static_cast<int>(icmp.size());
  const uint16_t checksum = InternetChecksum(
      ip + all_nodes + Bytes({0, 0, 0, length}) + Bytes({0, 0, 0, 58}) + icmp);
  icmp[2] = static_cast<char>(checksum >> 8);
  icmp[3] = static_cast<char>(checksum);
  return Bytes({0x33, 0x33, 0, 0, 0, 1}) + mac + Bytes({0x86, 0xdd}) +
         // Version 6, payload length, ICMPv6, hop limit 255
         Bytes({0x60, 0, 0, 0, 0, length, 58, 255}) + ip + all_nodes + icmp;
}

}  // namespace

std::string MakeAnnouncement(const IpAddress& address, const MacAddress& mac) {
  const std::string ip(address.bytes());
  return address.is_v6() ? NeighbourAdvertisement(ip, Bytes(mac))
                         : ArpAnnouncement(ip, Bytes(mac));
}

absl::Status Announce(uint32_t ifindex, const MacAddress& mac,
                      const std::vector<IpAddress>& addresses) {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "open a packet socket");
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(ifindex);
  for (const IpAddress& address : addresses) {
    const std::string frame = MakeAnnouncement(address, mac);
    to.sll_protocol = htons(address.is_v6() ? ETH_P_IPV6 : ETH_P_ARP);
    if (::sendto(fd.get(), frame.data(), frame.size(), 0,
                 reinterpret_cast<const sockaddr*>(&to), sizeof(to)) < 0) {
      return ErrnoToStatus(errno, "announce " + address.ToString());
    }
  }
  return absl::OkStatus();
}

}  // namespace eoip::cni
