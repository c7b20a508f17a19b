// SPDX-License-Identifier: Apache-2.0
//
// A TAP link with a virtio-net header before each frame. The link lives as long
// as its queues' descriptors do; it may be deleted by others (link_gone).
#ifndef EOIP_TAPD_TAP_LINK_H_
#define EOIP_TAPD_TAP_LINK_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace eoip::tapd {

// Bytes of the virtio-net header before every frame (VNET_HDR_LEN's default).
inline constexpr size_t kVnetHeaderSize = 10;

class TapLink {
 public:
  struct Options {
    std::string name;
    std::array<uint8_t, 6> mac;
    uint32_t mtu = 1500;
    // One descriptor each, not blocking.
    int queues = 1;
    bool offload = true;  // see SetOffload
  };

  // Creates the link, down, with MAC and MTU set; whatever fails, nothing is
  // left. ALREADY_EXISTS: any link has the name (it is never taken over) ·
  // FAILED_PRECONDITION: no /dev/net/tun · PERMISSION_DENIED: CAP_NET_ADMIN is
  // missing · RESOURCE_EXHAUSTED: no descriptors or memory.
  static absl::StatusOr<TapLink> Create(const Options& options);

  // The link of these descriptors, which another process created.
  // INVALID_ARGUMENT: they are no TAP. A link that was deleted meanwhile is
  // taken as well.
  static absl::StatusOr<TapLink> Adopt(std::vector<UniqueFd> queues,
                                       std::vector<UniqueFd> writers,
                                       uint32_t ifindex, bool udp_super_frames);

  TapLink(TapLink&&) = default;
  TapLink& operator=(TapLink&&) = default;

  // Where frames are read.
  int queue_fd(int queue) const { return queues_[queue].get(); }
  // Where frames are written. A link of several queues has writers of their
  // own, detached from it: the kernel would move a flow to the queue into which
  // its other direction was written, while its frames still wait in another.
  int writer_fd(int queue) const {
    return writers_.empty() ? queue_fd(queue) : writers_[queue].get();
  }
  int writers() const { return static_cast<int>(writers_.size()); }
  int queues() const { return static_cast<int>(queues_.size()); }
  uint32_t ifindex() const { return ifindex_; }

  // Any thread. NOT_FOUND: the link is gone.
  absl::Status SetCarrier(bool up) const;

  // Whether the kernel may hand over frames without checksums and super-frames.
  // UDP super-frames need Linux 6.2; without, they are left out.
  absl::Status SetOffload(bool on) const;
  // Any thread.
  bool takes_udp_super_frames() const { return udp_super_frames_; }

 private:
  TapLink() = default;

  std::vector<UniqueFd> queues_;
  std::vector<UniqueFd> writers_;
  uint32_t ifindex_ = 0;
  bool udp_super_frames_ = false;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_TAP_LINK_H_
