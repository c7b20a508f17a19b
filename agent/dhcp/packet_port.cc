// SPDX-License-Identifier: Apache-2.0
#include "dhcp/packet_port.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip {
namespace {

constexpr size_t kMaxFrame = 2048;

absl::StatusOr<sockaddr_ll> AddressOf(const std::string& link,
                                      uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(link.c_str()));
  if (address.sll_ifindex == 0) {
    return ErrnoToStatus(errno, absl::StrCat("link ", link));
  }
  return address;
}

// UDP over IPv4, no later fragment, to port 68.
const sock_filter kFilter[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 8),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kMaxFrame),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

}  // namespace

absl::Status SendIntoBridge(const std::string& bridge,
                            absl::string_view frame) {
  EOIP_ASSIGN_OR_RETURN(const sockaddr_ll address, AddressOf(bridge, ETH_P_IP));
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "packet socket");
  if (::sendto(fd.get(), frame.data(), frame.size(), 0,
               reinterpret_cast<const sockaddr*>(&address),
               sizeof(address)) < 0) {
    return ErrnoToStatus(errno, absl::StrCat("send into bridge ", bridge));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> ListenToPod(const std::string& host_link) {
  EOIP_ASSIGN_OR_RETURN(const sockaddr_ll address,
                        AddressOf(host_link, ETH_P_ALL));
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "packet socket");
  const sock_fprog program{static_cast<unsigned short>(std::size(kFilter)),
                           const_cast<sock_filter*>(kFilter)};
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                   sizeof(program)) != 0 ||
      ::setsockopt(fd.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) !=
          0) {
    return ErrnoToStatus(errno, "packet socket");
  }
  // Outgoing frames are handed to sockets of all protocols only.
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof(address)) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("listen to ", host_link));
  }
  return fd;
}

std::optional<HeardFrame> Hear(int fd) {
  while (true) {
    HeardFrame heard;
    heard.bytes.resize(kMaxFrame);
    iovec part{heard.bytes.data(), heard.bytes.size()};
    sockaddr_ll from{};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t size = ::recvmsg(fd, &message, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    // What the pod itself says is not an answer to it.
    if (from.sll_pkttype != PACKET_OUTGOING) continue;
    heard.bytes.resize(static_cast<size_t>(size));
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_PACKET ||
          header->cmsg_type != PACKET_AUXDATA) {
        continue;
      }
      tpacket_auxdata data;
      std::memcpy(&data, CMSG_DATA(header), sizeof(data));
      heard.trust_checksum = data.tp_status & TP_STATUS_CSUMNOTREADY;
    }
    return heard;
  }
}

}  // namespace eoip
