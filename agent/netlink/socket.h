// SPDX-License-Identifier: Apache-2.0
//
// One rtnetlink socket: sends requests, waits for their answers, and turns
// errors of the kernel into statuses with its errno and its extack text. libnl
// does the transport. Not thread-safe.
#ifndef EOIP_NETLINK_SOCKET_H_
#define EOIP_NETLINK_SOCKET_H_

#include <linux/netlink.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct nl_sock;

namespace eoip {

// What the kernel said to a request.
struct NetlinkReply {
  int error = 0;           // errno, 0: done
  std::string extack;      // its text, may be empty
  uint32_t attribute = 0;  // offset in the request of the attribute at fault
  // The kernel's answer as a status: "what: strerror: extack".
  absl::Status ToStatus(absl::string_view what) const;
};

class NetlinkSocket {
 public:
  // In the network namespace of the calling thread. Strict checking and extack
  // are on where the kernel has them.
  static absl::StatusOr<NetlinkSocket> Open();

  // Sends one request (bytes of messages.h; sequence number and ACK flag are
  // set here) and waits for its acknowledgement. Not OK: the request may not
  // have reached the kernel, or its answer was lost (UNAVAILABLE,
  // DEADLINE_EXCEEDED); then nothing is known about its effect.
  absl::StatusOr<NetlinkReply> Ask(std::string request);
  // Many requests, acknowledged one by one, in the same order.
  absl::StatusOr<std::vector<NetlinkReply>> AskAll(
      std::vector<std::string> requests);
  // As Ask, for a request that is answered by messages, which are handed to
  // each. valid until it returns.
  using Each = std::function<void(const nlmsghdr* message)>;
  absl::StatusOr<NetlinkReply> Query(std::string request, const Each& each);
  // As Query, for a dump. UNAVAILABLE: the kernel says that it was
  // interrupted by a change, so it may be wrong.
  absl::StatusOr<NetlinkReply> Dump(std::string request, const Each& each);

 private:
  struct Free {
    void operator()(nl_sock* sock) const;
  };
  struct Pending;

  explicit NetlinkSocket(nl_sock* sock) : sock_(sock) {}
  static absl::StatusOr<std::unique_ptr<nl_sock, Free>> Connect();
  absl::Status Run(const std::string& bytes, Pending* pending);
  absl::Status Reopen();

  std::unique_ptr<nl_sock, Free> sock_;
  uint32_t sequence_ = 0;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_SOCKET_H_
