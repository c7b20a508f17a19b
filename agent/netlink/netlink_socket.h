// SPDX-License-Identifier: Apache-2.0
//
// One rtnetlink socket: sends requests, waits for their answers, and turns
// errors of the kernel into statuses with its errno and its extack text. libnl
// does the transport. Not thread-safe.
#ifndef EOIP_NETLINK_NETLINK_SOCKET_H_
#define EOIP_NETLINK_NETLINK_SOCKET_H_

#include <linux/netlink.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "netlink/messages.h"

struct nl_sock;

namespace eoip {

class NetlinkSocket {
 public:
  // In the network namespace of the calling thread. Strict checking and extack
  // are on where the kernel has them.
  static absl::StatusOr<NetlinkSocket> Open();

  // Sends one request (bytes of messages.h; sequence number and ACK flag are
  // set here) and waits for its acknowledgement. An error status: the answer
  // was lost (UNAVAILABLE, DEADLINE_EXCEEDED) or the request not sent; whether
  // it had an effect is not known.
  absl::StatusOr<NetlinkReply> Ask(std::string request);
  // Many requests, in order; the kernel goes on behind one that it refuses.
  // The replies are in the same order.
  absl::StatusOr<std::vector<NetlinkReply>> AskAll(
      std::vector<std::string> requests);

  // A request that is answered by messages, which are handed to each; they are
  // valid until it returns.
  using Each = std::function<void(const nlmsghdr* message)>;
  absl::StatusOr<NetlinkReply> Query(std::string request, const Each& each);
  // The same for a dump. UNAVAILABLE: links changed meanwhile, so that the
  // messages may not be consistent.
  absl::StatusOr<NetlinkReply> DumpOnce(std::string request, const Each& each);
  // The same until nothing changed meanwhile; begin is called before each try,
  // to forget what the last one gave. UNAVAILABLE: something did in each of
  // 64 tries.
  absl::StatusOr<NetlinkReply> Dump(const std::string& request,
                                    const std::function<void()>& begin,
                                    const Each& each);

 private:
  struct Free {
    void operator()(nl_sock* sock) const;
  };
  using Handle = std::unique_ptr<nl_sock, Free>;

  explicit NetlinkSocket(Handle sock) : sock_(std::move(sock)) {}
  absl::Status Send(const std::string& bytes);
  // Hands every message that arrives to each until it returns true.
  absl::Status Receive(const std::function<bool(const nlmsghdr*)>& each);

  Handle sock_;
  uint32_t sequence_ = 0;
};

// Turns a libnl code into a status. libnl keeps no errno: ENOBUFS comes as
// NLE_NOMEM.
absl::Status LibnlError(int code, const char* what);

}  // namespace eoip

#endif  // EOIP_NETLINK_NETLINK_SOCKET_H_
