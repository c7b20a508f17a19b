// SPDX-License-Identifier: Apache-2.0
//
// Joins received frames of one TCP or UDP flow into super-frames, so that the
// kernel handles fewer. Only frames whose checksums are right are joined, and
// only so that splitting gives the same frames again (but for the ids of IPv4
// packets with DF, which mean nothing, RFC 6864). Frames of a flow never
// overtake each other. Pure: what comes out goes to a sink.
#ifndef EOIP_TAPD_COALESCE_H_
#define EOIP_TAPD_COALESCE_H_

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "tapd/segment.h"

namespace eoip::tapd {

// Where the headers of a plain TCP or UDP frame are. Bytes from its start.
struct FlowFrame {
  bool ipv6 = false;
  bool tcp = false;
  // It may be joined, its checksum being right. If not, it is of the flow but
  // has to pass by itself.
  bool joinable = false;
  uint16_t ip_at = 0;
  uint16_t l4_at = 0;
  uint16_t head_size = 0;
  uint32_t payload_size = 0;
};

// False: not TCP or UDP, or a fragment, or with IP options or extensions.
bool ParseFlowFrame(absl::Span<const uint8_t> frame, bool join_udp,
                    FlowFrame* out);

// The TCP or UDP checksum is right.
bool ChecksumIsRight(absl::Span<const uint8_t> frame, const FlowFrame& shape);

class Coalescer {
 public:
  // pieces: an iovec for the vnet header, then the frame. frames: how many were
  // joined. key: what was given to Add.
  using Sink = absl::FunctionRef<void(void* key, absl::Span<iovec> pieces,
                                      size_t frames, size_t bytes)>;

  Coalescer();

  // Takes the next frame of the tunnel that key stands for: it goes to the sink
  // now or is held. Held frames must stay where they are, and may be changed,
  // until Flush. join_udp: the kernel takes UDP super-frames.
  void Add(void* key, absl::Span<uint8_t> frame, bool join_udp, Sink sink);

  // Gives everything that is held to the sink. To be called before the thread
  // sleeps: nothing is held over time.
  void Flush(Sink sink);

 private:
  static constexpr size_t kMaxFlows = 16;
  static constexpr size_t kMaxFrames = 64;

  struct Flow {
    void* key;
    FlowFrame shape;  // of the first frame
    uint8_t* frame;   // the first frame
    bool verified;    // its checksum is right
    bool closed;      // nothing may be added any more
    uint32_t next_seq;
    uint16_t next_ip_id;
    size_t frames;
    size_t bytes;     // of all frames
    size_t ip_bytes;  // of the super-frame from the IP header on
    VnetHeader vnet;
    // The vnet header, the first frame, payloads.
    std::array<iovec, kMaxFrames + 1> pieces;
  };

  static bool SameFlow(const Flow& flow, void* key, const FlowFrame& shape,
                       const uint8_t* frame);
  static bool Fits(const Flow& flow, const FlowFrame& shape,
                   const uint8_t* frame);
  static void Start(Flow* flow, void* key, const FlowFrame& shape,
                    absl::Span<uint8_t> frame);
  static void Join(Flow* flow, const FlowFrame& shape,
                   absl::Span<uint8_t> frame);
  static void FinishHead(Flow* flow);
  static void Emit(Flow* flow, Sink sink);
  // Takes flow number i out of the order and emits it.
  void EmitAt(size_t i, Sink sink);

  // Of flows_: the first count_ are in use, oldest first; the others free.
  std::array<Flow*, kMaxFlows> order_;
  size_t count_ = 0;
  std::unique_ptr<std::array<Flow, kMaxFlows>> flows_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_COALESCE_H_
