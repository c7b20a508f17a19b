// SPDX-License-Identifier: Apache-2.0
#include "tapd/tx_batch.h"

#include <arpa/inet.h>
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "eoip_wire.h"

namespace eoip::tapd {
namespace {

// How long full send buffers hold up a worker before packets are dropped.
constexpr int kSendWaitMs = 5;

// Largest frame that fits one outer packet of 65535 bytes.
constexpr size_t kMaxFrameV4 = 65535 - 20 - EOIP4_HLEN;
constexpr size_t kMaxFrameV6 = 65535 - EOIP6_HLEN;

}  // namespace

TxBatch::TxBatch(const RawSockets* sockets)
    : sockets_(sockets),
      packets_(std::make_unique<std::array<Packet, kMaxPackets>>()) {}

int TxBatch::SocketOf(const TunnelSlot& slot, bool dont_fragment) const {
  if (slot.config.ipv6) return sockets_->v6.get();
  return dont_fragment ? sockets_->v4_df.get() : sockets_->v4.get();
}

void TxBatch::Add(TunnelSlot* slot, absl::Span<const uint8_t> head,
                  absl::Span<const uint8_t> body, uint8_t tos,
                  bool dont_fragment, bool use_path) {
  const bool ipv6 = slot->config.ipv6;
  const size_t frame_size = head.size() + body.size();
  if (frame_size > (ipv6 ? kMaxFrameV6 : kMaxFrameV4)) {
    slot->counters.drops.Add(Drop::kTooBig);
    return;
  }
  Packet& packet = (*packets_)[size_];
  packet.slot = slot;
  packet.frame_size = static_cast<uint32_t>(frame_size);
  const size_t header_size = ipv6 ? EOIP6_HLEN : EOIP4_HLEN;
  uint8_t* header = &packet.bytes[kHeadAt - header_size];
  if (ipv6) {
    eoip6_build(header, slot->config.tunnel_id);
  } else {
    eoip4_build(header, slot->config.tunnel_id, packet.frame_size);
  }
  uint8_t* frame = &packet.bytes[kHeadAt];
  if (!head.empty()) std::memcpy(frame, head.data(), head.size());
  msghdr& message = messages_[size_].msg_hdr;
  message.msg_iov = packet.iov.data();
  if (frame_size <= kCopied) {
    if (!body.empty()) {
      std::memcpy(frame + head.size(), body.data(), body.size());
    }
    packet.iov[0] = {header, header_size + frame_size};
    message.msg_iovlen = 1;
  } else {
    packet.iov[0] = {header, header_size + head.size()};
    packet.iov[1] = {const_cast<uint8_t*>(body.data()), body.size()};
    message.msg_iovlen = 2;
  }
  const size_t ip_size = (ipv6 ? 40 : 20) + header_size + frame_size;
  if (use_path && ip_size <= slot->path->mtu) {
    AddressByPath(&packet, tos, &message);
  } else {
    AddressByStack(&packet, tos, dont_fragment, &message);
  }
  ++size_;
}

void TxBatch::AddressByStack(Packet* packet, uint8_t tos, bool dont_fragment,
                             msghdr* message) {
  packet->fd = SocketOf(*packet->slot, dont_fragment);
  OuterHeader& outer = packet->slot->outer;
  std::memcpy(packet->control.data(), outer.control.data(), outer.control_size);
  const int tos_value = tos;
  std::memcpy(&packet->control[outer.tos_at], &tos_value, sizeof(tos_value));
  if (outer.dont_fragment_at != 0) {
    const int value = dont_fragment ? 1 : 0;
    std::memcpy(&packet->control[outer.dont_fragment_at], &value,
                sizeof(value));
  }
  message->msg_name = &outer.to;
  message->msg_namelen = outer.to_size;
  message->msg_control = packet->control.data();
  message->msg_controllen = outer.control_size;
}

void TxBatch::AddressByPath(Packet* packet, uint8_t tos, msghdr* message) {
  TunnelSlot* slot = packet->slot;
  packet->fd = sockets_->packet.get();
  const size_t size = slot->config.ipv6 ? kLinkHeaderSizeV6 : kLinkHeaderSizeV4;
  iovec& first = packet->iov[0];
  const size_t payload =
      first.iov_len + (message->msg_iovlen > 1 ? packet->iov[1].iov_len : 0);
  auto* start = static_cast<uint8_t*>(first.iov_base) - size;
  WriteLinkHeader(slot->config, *slot->path, tos, next_ip_id_++, payload,
                  start);
  first = {start, first.iov_len + size};
  packet->link = {};
  packet->link.sll_family = AF_PACKET;
  packet->link.sll_protocol = htons(slot->config.ipv6 ? 0x86dd : 0x0800);
  packet->link.sll_ifindex = slot->path->ifindex;
  packet->link.sll_halen = 6;
  std::memcpy(packet->link.sll_addr, slot->path->neighbour_mac.data(), 6);
  message->msg_name = &packet->link;
  message->msg_namelen = sizeof(packet->link);
  message->msg_control = nullptr;
  message->msg_controllen = 0;
}

void TxBatch::Flush() {
  size_t at = 0;
  bool waited = false;
  while (at < size_) {
    const int fd = (*packets_)[at].fd;
    size_t end = at + 1;
    while (end < size_ && (*packets_)[end].fd == fd) ++end;
    const int sent =
        ::sendmmsg(fd, &messages_[at], static_cast<unsigned int>(end - at), 0);
    if (sent > 0) {
      CountSent(at, static_cast<size_t>(sent));
      at += static_cast<size_t>(sent);
      waited = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && !waited) {
      waited = true;
      pollfd p{fd, POLLOUT, 0};
      ::poll(&p, 1, kSendWaitMs);
      continue;
    }
    CountFailed(at, error);
    ++at;
  }
  size_ = 0;
}

void TxBatch::CountSent(size_t first, size_t count) {
  uint64_t bytes = 0;
  for (size_t i = first; i < first + count; ++i) {
    const Packet& packet = (*packets_)[i];
    TunnelCounters& counters = packet.slot->counters;
    if (packet.frame_size == 0) {
      counters.tx_keepalives.Add(1);
    } else {
      counters.tx_packets.Add(1);
      if (packet.fd == sockets_->packet.get()) counters.tx_fast_packets.Add(1);
      counters.tx_bytes.Add(packet.frame_size);
    }
    bytes += packet.frame_size +
             (packet.slot->config.ipv6 ? EOIP6_HLEN : EOIP4_HLEN);
    packet.slot->tunnel->SetSendErrno(0);
  }
  counters_.Add(count, bytes);
}

void TxBatch::CountFailed(size_t index, int error) {
  TunnelSlot* slot = (*packets_)[index].slot;
  // The next ones take the other way until a path is found again.
  if ((*packets_)[index].fd == sockets_->packet.get()) slot->path.reset();
  Drop cause = Drop::kSendError;
  if (error == EMSGSIZE) {
    // The frame's fault, not the path's: no error of the tunnel.
    slot->counters.drops.Add(Drop::kTooBig);
    return;
  }
  if (error == EAGAIN || error == ENOBUFS) cause = Drop::kSendFull;
  slot->counters.drops.Add(cause);
  slot->tunnel->SetSendErrno(error);
}

}  // namespace eoip::tapd
