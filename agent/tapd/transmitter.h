// SPDX-License-Identifier: Apache-2.0
//
// TAP to underlay: reads frames, encapsulates, sends in batches. One thread.
#ifndef EOIP_TAPD_TRANSMITTER_H_
#define EOIP_TAPD_TRANSMITTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "tapd/path_monitor.h"
#include "tapd/segment.h"
#include "tapd/sockets.h"
#include "tapd/tunnel.h"
#include "tapd/tx_batch.h"

namespace eoip::tapd {

class Transmitter {
 public:
  // Both must outlive the transmitter.
  explicit Transmitter(const RawSockets* sockets);
  // Sends on the paths of slots, which ask has to find for the generation that
  // the slot has. Without, all packets go through the IP stack.
  void UsePaths(const PathMonitor* monitor,
                std::function<void(TunnelSlot*)> ask) {
    paths_ = monitor;
    ask_path_ = std::move(ask);
  }

  // Reads what the TAP has, up to a fair share, and queues it. False: the link
  // is gone, nobody should poll it any more.
  bool ReadTap(TunnelSlot* slot);

  // Queues a keepalive.
  void SendKeepalive(TunnelSlot* slot);

  // Sends what is queued. To be called before the thread sleeps and before a
  // slot changes or goes away.
  void Flush();

  // Any thread.
  const BatchCounters& counters() const { return batch_.counters(); }

  // The thread's own.
  TxBatch& batch() { return batch_; }

 private:
  void QueueFrame(TunnelSlot* slot, const VnetHeader& vnet,
                  absl::Span<uint8_t> frame);
  void QueueSegments(TunnelSlot* slot, const Segmenter& segmenter, uint8_t tos,
                     bool dont_fragment, bool use_path);
  bool MayUsePath(TunnelSlot* slot, uint8_t tos, bool dont_fragment);
  void UpdatePath(TunnelSlot* slot);

  const PathMonitor* paths_ = nullptr;
  std::function<void(TunnelSlot*)> ask_path_;
  TxBatch batch_;
  // Frames stay here until they are sent.
  std::unique_ptr<uint8_t[]> arena_;
  size_t arena_used_ = 0;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_TRANSMITTER_H_
