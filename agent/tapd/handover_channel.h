// SPDX-License-Identifier: Apache-2.0
//
// The conversation of a hot restart, over a pair of unix SOCK_SEQPACKET sockets
// between two processes of eoip-tapd. One word a packet:
//
//   successor                      predecessor
//   hello (HandoverHello)    →     goes on forwarding until here
//                            ←     state…, descriptors…, end (Handover)
//   ready                    →
//                            ←     go: from here on all is the successor's
//
// Whichever side sees the other gone, or silent for too long, before "go" was
// sent, drops the matter: the predecessor forwards again.
#ifndef EOIP_TAPD_HANDOVER_CHANNEL_H_
#define EOIP_TAPD_HANDOVER_CHANNEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace eoip::tapd {

enum class HandoverWord : uint8_t {
  kHello = 'H',
  kState = 'S',
  kDescriptors = 'D',
  kEnd = 'E',
  kReady = 'R',
  kGo = 'G',
};

// Largest state, and most descriptors, that are taken.
inline constexpr size_t kMaxHandoverBytes = 64 << 20;
inline constexpr size_t kMaxHandoverDescriptors = 1 << 20;

class HandoverChannel {
 public:
  // No send or receive takes longer than the timeout: DEADLINE_EXCEEDED.
  // UNAVAILABLE: the other process is gone.
  HandoverChannel(UniqueFd fd, absl::Duration timeout)
      : fd_(std::move(fd)), timeout_(timeout) {}

  // Two ends of a new conversation.
  static absl::StatusOr<std::pair<UniqueFd, UniqueFd>> MakePair();

  // Readable when the other side spoke or is gone.
  int fd() const { return fd_.get(); }

  absl::Status Send(HandoverWord word, absl::string_view text = "");
  // The text of the next packet, which must be that word.
  absl::StatusOr<std::string> Receive(HandoverWord word);

  // A state and its descriptors, up to kEnd.
  struct State {
    std::string bytes;
    std::vector<UniqueFd> descriptors;
  };
  absl::Status SendState(absl::string_view bytes,
                         absl::Span<const int> descriptors);
  absl::StatusOr<State> ReceiveState();

 private:
  struct Packet {
    HandoverWord word;
    std::string text;
    std::vector<UniqueFd> descriptors;
  };
  absl::Status SendPacket(HandoverWord word, absl::string_view text,
                          absl::Span<const int> descriptors);
  absl::StatusOr<Packet> ReceivePacket();
  // Waits for events of poll(2).
  absl::Status Wait(short events);

  UniqueFd fd_;
  absl::Duration timeout_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_HANDOVER_CHANNEL_H_
