// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink for a process that lives for milliseconds: bytes and one raw
// socket, nothing that is set up at start. (agent/netlink is for the agent: it
// keeps sockets, repairs them and knows tunnels.) Not thread-safe.
#ifndef EOIP_CNI_RTNL_H_
#define EOIP_CNI_RTNL_H_

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace eoip::cni {

// Builds one request.
class RtnlMessage {
 public:
  // header: ifinfomsg, ifaddrmsg or rtmsg. NLM_F_REQUEST is added.
  template <typename Header>
  RtnlMessage(uint16_t type, uint16_t flags, const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header>);
    Start(type, flags);
    Append(&header, sizeof(header));
  }

  void Put(uint16_t attribute, absl::string_view bytes);
  void PutU8(uint16_t attribute, uint8_t value);
  void PutU32(uint16_t attribute, uint32_t value);
  // With its terminating NUL.
  void PutString(uint16_t attribute, const std::string& text);
  // Opens a nested attribute; hand the result to End.
  size_t Begin(uint16_t attribute);
  void End(size_t begin);
  // Raw bytes, padded to 4; for the header inside VETH_INFO_PEER.
  void Append(const void* data, size_t size);

  // The request with its length set.
  const std::string& Finish();

 private:
  void Start(uint16_t type, uint16_t flags);

  std::string bytes_;
};

// Calls each(type, bytes) for every attribute in attributes; nested flags are
// removed from the type.
void ForEachAttribute(
    absl::string_view attributes,
    const std::function<void(uint16_t, absl::string_view)>& each);
uint32_t ReadU32(absl::string_view bytes);  // 0 when shorter
// The attributes that follow a header of this size; empty: there are none.
absl::string_view AttributesOf(const nlmsghdr* message, size_t header_size);

class RtnlSocket {
 public:
  // In the network namespace of the calling thread.
  static absl::StatusOr<RtnlSocket> Open();

  // Sends a request and waits for the acknowledgement. Errors carry the errno
  // (see ErrnoToStatus) and the kernel's extack text: "what: strerror: text".
  absl::Status Ask(absl::string_view what, RtnlMessage& message);
  // The same for a request that is answered by messages: one, or a dump (flags
  // with NLM_F_DUMP). A dump that a change interrupted is done again.
  using Each = std::function<void(const nlmsghdr*)>;
  absl::Status Query(absl::string_view what, RtnlMessage& message,
                     const Each& each);

 private:
  explicit RtnlSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  absl::Status Run(absl::string_view what, const std::string& request,
                   const Each* each, bool* interrupted);

  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

}  // namespace eoip::cni

#endif  // EOIP_CNI_RTNL_H_
