// SPDX-License-Identifier: Apache-2.0
//
// Underlay to TAP: receives packets in batches, finds their tunnel, checks them
// by the receive rule, delivers the frames. One thread, except for drops().
#ifndef EOIP_TAPD_RECEIVER_H_
#define EOIP_TAPD_RECEIVER_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "eoip_wire.h"
#include "tapd/coalesce.h"
#include "tapd/counters.h"
#include "tapd/demux.h"
#include "tapd/tunnel.h"

namespace eoip::tapd {

// What the outer header said of a packet.
struct OuterInfo {
  bool ipv6 = false;
  Address source{};
  Address destination{};
  uint8_t tos = 0;
};

class Receiver {
 public:
  Receiver();
  ~Receiver();

  DemuxTable<TunnelSlot>& table() { return table_; }
  // Packets that belong to no tunnel, by cause.
  const DropCounters& drops() const { return drops_; }
  const BatchCounters& counters() const { return counters_; }
  // To go on with those of another process. The thread's own.
  DropCounters& drops() { return drops_; }
  BatchCounters& counters() { return counters_; }

  // Receives one batch from a raw socket and delivers it. Returns how many
  // packets that were; fewer than kBatch: the socket is empty.
  static constexpr int kBatch = 64;
  int Receive(int fd, bool ipv6);

  // The family's socket is another one, that many of whose losses are counted.
  void SocketOpened(bool ipv6, uint32_t overrun_seen) {
    overrun_seen_[ipv6] = overrun_seen;
  }
  uint32_t overrun_seen(bool ipv6) const { return overrun_seen_[ipv6]; }

 private:
  void HandleV4(absl::Span<uint8_t> packet, int64_t now_ns);
  void HandleV6(const msghdr& message, absl::Span<uint8_t> payload,
                int64_t now_ns);
  void Handle(const OuterInfo& outer, absl::Span<uint8_t> payload,
              int64_t now_ns);
  void Deliver(TunnelSlot* slot, uint8_t outer_tos, absl::Span<uint8_t> frame);
  static void WriteTap(void* slot, absl::Span<iovec> pieces, size_t frames,
                       size_t bytes);
  void ReadOverrun(const msghdr& message, bool ipv6);

  DemuxTable<TunnelSlot> table_;
  DropCounters drops_;
  BatchCounters counters_;
  uint64_t batch_bytes_ = 0;  // of the batch that is being handled
  Coalescer coalescer_;
  // Packets that the kernel dropped as the socket was full, per family.
  std::array<uint32_t, 2> overrun_seen_{};

  static constexpr size_t kControlRoom = 128;
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_RECEIVER_H_
