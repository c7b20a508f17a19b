// SPDX-License-Identifier: Apache-2.0
#include "tapd/transmitter.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "tapd/inner_frame.h"

namespace eoip::tapd {
namespace {

constexpr size_t kMaxRead = kVnetHeaderSize + 65536 + 64;
constexpr size_t kArenaSize = 4 * kMaxRead;
// Reads of one tunnel before the others have their turn.
constexpr int kFairShare = 64;
// How often a tunnel's packets go through the IP stack all the same, and how
// often at most its path is looked for.
constexpr int64_t kStackIntervalNs = 1'000'000'000;
constexpr int64_t kAskIntervalNs = 20'000'000;

}  // namespace

Transmitter::Transmitter(const RawSockets* sockets)
    : batch_(sockets), arena_(new uint8_t[kArenaSize]) {}

bool Transmitter::ReadTap(TunnelSlot* slot) {
  UpdatePath(slot);
  for (int i = 0; i < kFairShare; ++i) {
    if (batch_.full() || kArenaSize - arena_used_ < kMaxRead) Flush();
    uint8_t* buffer = arena_.get() + arena_used_;
    const ssize_t n = ::read(slot->tap_fd, buffer, kMaxRead);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return true;
      // EBADFD: the link was deleted. Nothing else is known to happen here.
      slot->tunnel->MarkLinkGone();
      return false;
    }
    const size_t size = static_cast<size_t>(n);
    if (size < kVnetHeaderSize) continue;
    if (slot->config.disabled) {
      slot->counters.drops.Add(Drop::kDisabled);
      continue;
    }
    VnetHeader vnet;
    std::memcpy(&vnet, buffer, sizeof(vnet));
    QueueFrame(
        slot, vnet,
        absl::MakeSpan(buffer + kVnetHeaderSize, size - kVnetHeaderSize));
    // Frames start on cache lines of their own.
    arena_used_ += (size + 63) & ~size_t{63};
  }
  return true;
}

void Transmitter::QueueFrame(TunnelSlot* slot, const VnetHeader& vnet,
                             absl::Span<uint8_t> frame) {
  const std::optional<InnerIp> inner = FindInnerIp(frame);
  const uint8_t tos = OuterTos(slot->config.dscp, inner);
  const bool dont_fragment =
      slot->config.inherit_df && inner.has_value() && inner->dont_fragment;
  const bool use_path = MayUsePath(slot, tos, dont_fragment);
  if (vnet.gso_type != VnetHeader::kGsoNone) {
    const std::optional<Segmenter> segmenter = Segmenter::Make(vnet, frame);
    if (!segmenter.has_value()) {
      slot->counters.drops.Add(Drop::kBadOffload);
      return;
    }
    slot->counters.tx_super_frames.Add(1);
    QueueSegments(slot, *segmenter, tos, dont_fragment, use_path);
    return;
  }
  if (!FinishChecksum(vnet, frame)) {
    slot->counters.drops.Add(Drop::kBadOffload);
    return;
  }
  batch_.Add(slot, {}, frame, tos, dont_fragment, use_path);
}

void Transmitter::QueueSegments(TunnelSlot* slot, const Segmenter& segmenter,
                                uint8_t tos, bool dont_fragment,
                                bool use_path) {
  std::array<uint8_t, kMaxSegmentHead> head;
  for (size_t i = 0; i < segmenter.count(); ++i) {
    // Of the batch only: the payloads to come are still in the arena.
    if (batch_.full()) batch_.Flush();
    segmenter.WriteHead(i, head.data());
    batch_.Add(slot, absl::MakeConstSpan(head.data(), segmenter.head_size()),
               segmenter.Payload(i), tos, dont_fragment,
               use_path && slot->path.has_value());
  }
}

// Routes may depend on the DSCP, and with DF the path's own limit counts: only
// the IP stack knows those.
bool Transmitter::MayUsePath(TunnelSlot* slot, uint8_t tos,
                             bool dont_fragment) {
  return slot->path.has_value() && !dont_fragment && (tos & ~kEcnMask) == 0;
}

void Transmitter::UpdatePath(TunnelSlot* slot) {
  if (paths_ == nullptr) return;
  const int64_t now_ns = NowNs();
  if (now_ns >= slot->stack_due_ns) {
    // From time to time a round goes through the IP stack, so that the kernel
    // sees that the neighbour is used and asks whether it is still there.
    slot->stack_due_ns = now_ns + kStackIntervalNs;
    slot->path.reset();
    slot->path_generation = 0;
    return;
  }
  if (slot->path_generation == paths_->generation()) return;
  slot->path.reset();
  if (slot->path_question != 0 ||
      now_ns - slot->path_asked_ns < kAskIntervalNs) {
    return;
  }
  slot->path_asked_ns = now_ns;
  slot->path_generation = paths_->generation();
  ask_path_(slot);
}

void Transmitter::SendKeepalive(TunnelSlot* slot) {
  if (batch_.full()) Flush();
  batch_.Add(slot, {}, {}, OuterTos(slot->config.dscp, std::nullopt), false,
             false);
}

void Transmitter::Flush() {
  batch_.Flush();
  arena_used_ = 0;
}

}  // namespace eoip::tapd
