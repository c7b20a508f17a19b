// SPDX-License-Identifier: Apache-2.0
//
// Packets on their way to the underlay, sent many per system call. One thread.
#ifndef EOIP_TAPD_TX_BATCH_H_
#define EOIP_TAPD_TX_BATCH_H_

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "tapd/counters.h"
#include "tapd/outer_header.h"
#include "tapd/segment.h"
#include "tapd/sockets.h"
#include "tapd/tunnel.h"

namespace eoip::tapd {

class TxBatch {
 public:
  static constexpr size_t kMaxPackets = 128;
  // Frames up to this size are copied, so that a packet is one piece of memory:
  // that costs less than the kernel's work with two (a tenth of the CPU time of
  // a TCP stream). Of larger ones only the head is.
  static constexpr size_t kCopied = 2048;

  // sockets must outlive the batch.
  explicit TxBatch(const RawSockets* sockets);

  bool full() const { return size_ == kMaxPackets; }
  bool empty() const { return size_ == 0; }

  // Adds the packet that carries the frame head + body, or a keepalive where
  // both are empty. head has at most kMaxSegmentHead bytes, body must stay
  // until Flush. The batch must not be full. use_path: on slot->path, which is
  // there, if the packet fits; else through the IP stack.
  void Add(TunnelSlot* slot, absl::Span<const uint8_t> head,
           absl::Span<const uint8_t> body, uint8_t tos, bool dont_fragment,
           bool use_path);

  // Sends all, in order per socket; counts what went and what did not at the
  // tunnels. Waits a little where the kernel's buffers are full.
  void Flush();

  // Any thread.
  const BatchCounters& counters() const { return counters_; }

  // To go on where another process stopped. The thread's own.
  BatchCounters& counters() { return counters_; }
  uint16_t next_ip_id() const { return next_ip_id_; }
  void set_next_ip_id(uint16_t id) { next_ip_id_ = id; }

 private:
  static constexpr size_t kHeadAt = kLinkHeaderSizeV6 + 8;

  struct Packet {
    TunnelSlot* slot;
    int fd;
    uint32_t frame_size;
    std::array<iovec, 2> iov;
    alignas(cmsghdr) std::array<uint8_t, kControlSize> control;
    sockaddr_ll link;
    // Ethernet, IP and EoIP header, right before kHeadAt, then the frame, or
    // its head.
    std::array<uint8_t, kHeadAt + kCopied> bytes;
  };

  int SocketOf(const TunnelSlot& slot, bool dont_fragment) const;
  void AddressByPath(Packet* packet, uint8_t tos, msghdr* message);
  void AddressByStack(Packet* packet, uint8_t tos, bool dont_fragment,
                      msghdr* message);
  void CountSent(size_t first, size_t count);
  void CountFailed(size_t index, int error);

  const RawSockets* sockets_;
  BatchCounters counters_;
  size_t size_ = 0;
  // Of packets on link paths, all tunnels: two to one peer must not share ids,
  // as a router may fragment them.
  uint16_t next_ip_id_ = 0;
  std::unique_ptr<std::array<Packet, kMaxPackets>> packets_;
  std::array<mmsghdr, kMaxPackets> messages_{};
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_TX_BATCH_H_
