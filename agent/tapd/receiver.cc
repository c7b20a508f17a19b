// SPDX-License-Identifier: Apache-2.0
#include "tapd/receiver.h"

#include <netinet/in.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tapd/clamp_mss.h"
#include "tapd/inner_frame.h"

namespace eoip::tapd {
namespace {

// The largest datagram, and room so that each starts on a page of its own.
constexpr size_t kPacketRoom = 65536 + 4096;

Drop CauseOf(eoip_verdict verdict) {
  switch (verdict) {
    case EOIP_RX_BAD_LENGTH:
      return Drop::kBadLength;
    case EOIP_RX_SHORT_FRAME:
      return Drop::kShortFrame;
    case EOIP_RX_TRUNCATED:
      return Drop::kTruncated;
    default:
      return Drop::kForeign;
  }
}

Drop CauseOf(DemuxMiss miss) {
  switch (miss) {
    case DemuxMiss::kUnknownTunnel:
      return Drop::kUnknownTunnel;
    case DemuxMiss::kWrongSource:
      return Drop::kWrongSource;
    case DemuxMiss::kWrongLocal:
      return Drop::kWrongLocal;
  }
  return Drop::kUnknownTunnel;
}

}  // namespace

// Mapped, so that memory is used only where packets were that large.
struct Receiver::Buffers {
  Buffers() {
    data = static_cast<uint8_t*>(
        ::mmap(nullptr, kBatch * kPacketRoom, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (data == MAP_FAILED) throw std::bad_alloc();
    for (int i = 0; i < kBatch; ++i) {
      iov[i] = {data + i * kPacketRoom, kPacketRoom};
      msghdr& m = messages[i].msg_hdr;
      // One piece each: the kernel takes two the long way.
      m.msg_iov = &iov[i];
      m.msg_iovlen = 1;
      m.msg_control = control[i].data();
    }
    Reset(kBatch);
  }
  ~Buffers() { ::munmap(data, kBatch * kPacketRoom); }

  // Makes the first count messages ready for another batch.
  void Reset(int count) {
    for (int i = 0; i < count; ++i) {
      messages[i].msg_hdr.msg_namelen = sizeof(names[i]);
      messages[i].msg_hdr.msg_controllen = kControlRoom;
    }
  }

  // An IPv4 packet says itself where it comes from.
  void UseNames(bool use) {
    for (int i = 0; i < kBatch; ++i) {
      messages[i].msg_hdr.msg_name = use ? &names[i] : nullptr;
    }
    named = use;
  }

  uint8_t* data;
  bool named = false;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> iov{};
  std::array<sockaddr_in6, kBatch> names{};
  alignas(
      cmsghdr) std::array<std::array<uint8_t, kControlRoom>, kBatch> control{};
};

Receiver::Receiver() : buffers_(std::make_unique<Buffers>()) {}
Receiver::~Receiver() = default;

int Receiver::Receive(int fd, bool ipv6) {
  Buffers& b = *buffers_;
  if (ipv6 != b.named) b.UseNames(ipv6);
  const int n =
      ::recvmmsg(fd, b.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (n <= 0) return 0;
  const int64_t now_ns = NowNs();
  for (int i = 0; i < n; ++i) {
    const msghdr& message = b.messages[i].msg_hdr;
    const auto bytes = absl::MakeSpan(static_cast<uint8_t*>(b.iov[i].iov_base),
                                      b.messages[i].msg_len);
    if (ipv6) {
      HandleV6(message, bytes, now_ns);
    } else {
      HandleV4(bytes, now_ns);
    }
  }
  // The buffers are used again by the next batch.
  coalescer_.Flush(WriteTap);
  counters_.Add(static_cast<uint64_t>(n), std::exchange(batch_bytes_, 0));
  ReadOverrun(b.messages[n - 1].msg_hdr, ipv6);
  b.Reset(n);
  return n;
}

// The kernel has checked the header: version, length, checksum.
void Receiver::HandleV4(absl::Span<uint8_t> packet, int64_t now_ns) {
  const size_t header_size = packet.empty() ? 0 : (packet[0] & 0xf) * 4u;
  if (header_size < 20 || packet.size() < header_size) {
    drops_.Add(Drop::kTruncated);
    return;
  }
  OuterInfo outer;
  outer.tos = packet[1];
  std::memcpy(outer.source.data(), &packet[12], 4);
  std::memcpy(outer.destination.data(), &packet[16], 4);
  Handle(outer, packet.subspan(header_size), now_ns);
}

void Receiver::HandleV6(const msghdr& message, absl::Span<uint8_t> payload,
                        int64_t now_ns) {
  OuterInfo outer;
  outer.ipv6 = true;
  const auto* from = static_cast<const sockaddr_in6*>(message.msg_name);
  std::memcpy(outer.source.data(), &from->sin6_addr, 16);
  for (const cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(const_cast<msghdr*>(&message),
                       const_cast<cmsghdr*>(c))) {
    if (c->cmsg_level != IPPROTO_IPV6) continue;
    if (c->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(outer.destination.data(), CMSG_DATA(c), 16);
    } else if (c->cmsg_type == IPV6_TCLASS) {
      int value;
      std::memcpy(&value, CMSG_DATA(c), sizeof(value));
      outer.tos = static_cast<uint8_t>(value);
    }
  }
  Handle(outer, payload, now_ns);
}

void Receiver::Handle(const OuterInfo& outer, absl::Span<uint8_t> payload,
                      int64_t now_ns) {
  batch_bytes_ += payload.size();
  // A tunnel runs between two hosts, whatever the sender's address is.
  if (outer.ipv6 ? outer.destination[0] == 0xff : outer.destination[0] >= 224) {
    drops_.Add(Drop::kWrongLocal);
    return;
  }
  eoip_rx rx{};
  const eoip_verdict verdict =
      outer.ipv6 ? eoip6_parse(payload.data(), payload.size(), &rx)
                 : eoip4_parse(payload.data(), payload.size(), &rx);
  if (verdict == EOIP_RX_FOREIGN || verdict == EOIP_RX_TRUNCATED) {
    drops_.Add(CauseOf(verdict));
    return;
  }
  TunnelSlot* slot =
      table_.Find(outer.ipv6, rx.id, outer.source, outer.destination);
  if (slot == nullptr) {
    drops_.Add(CauseOf(table_.Explain(outer.ipv6, rx.id, outer.source)));
    return;
  }
  if (slot->config.disabled) {
    slot->counters.drops.Add(Drop::kDisabled);
    return;
  }
  switch (verdict) {
    case EOIP_RX_KEEPALIVE:
      slot->counters.rx_keepalives.Add(1);
      slot->tunnel->Heard(now_ns);
      return;
    case EOIP_RX_FRAME: {
      slot->tunnel->Heard(now_ns);
      const size_t header_size = outer.ipv6 ? EOIP6_HLEN : EOIP4_HLEN;
      Deliver(slot, outer.tos, payload.subspan(header_size, rx.frame_len));
      return;
    }
    default:
      slot->counters.drops.Add(CauseOf(verdict));
  }
}

void Receiver::Deliver(TunnelSlot* slot, uint8_t outer_tos,
                       absl::Span<uint8_t> frame) {
  ApplyOuterEcn(outer_tos, frame);
  if (slot->config.clamp_tcp_mss && ClampTcpMss(slot->config.mtu, frame)) {
    slot->counters.rx_clamped.Add(1);
  }
  if (slot->config.no_offload) {
    VnetHeader plain;
    iovec pieces[2] = {{&plain, sizeof(plain)}, {frame.data(), frame.size()}};
    WriteTap(slot, absl::MakeSpan(pieces), 1, frame.size());
    return;
  }
  coalescer_.Add(slot, frame, slot->tunnel->tap().takes_udp_super_frames(),
                 WriteTap);
}

void Receiver::WriteTap(void* key, absl::Span<iovec> pieces, size_t frames,
                        size_t bytes) {
  auto* slot = static_cast<TunnelSlot*>(key);
  if (::writev(slot->writer_fd, pieces.data(),
               static_cast<int>(pieces.size())) >= 0) {
    slot->counters.rx_packets.Add(frames);
    slot->counters.rx_bytes.Add(bytes);
    if (frames > 1) slot->counters.rx_super_frames.Add(1);
    return;
  }
  switch (errno) {
    case EIO:
      slot->counters.drops.Add(Drop::kTapDown, frames);
      return;
    case EBADFD:
      slot->tunnel->MarkLinkGone();
      slot->counters.drops.Add(Drop::kTapDown, frames);
      return;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      slot->counters.drops.Add(Drop::kTapFull, frames);
      return;
    default:
      slot->counters.drops.Add(Drop::kTapError, frames);
  }
}

void Receiver::ReadOverrun(const msghdr& message, bool ipv6) {
  for (const cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(const_cast<msghdr*>(&message),
                       const_cast<cmsghdr*>(c))) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
    uint32_t total;
    std::memcpy(&total, CMSG_DATA(c), sizeof(total));
    drops_.Add(Drop::kRxOverrun, total - overrun_seen_[ipv6]);
    overrun_seen_[ipv6] = total;
  }
}

}  // namespace eoip::tapd
