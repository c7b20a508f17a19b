// SPDX-License-Identifier: Apache-2.0
#include "netlink/netlink_socket.h"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip {
namespace {

// The kernel fills up to 32 KiB of a dump into one read.
constexpr size_t kReadBuffer = 64 * 1024;
constexpr int kSocketBuffer = 1024 * 1024;
// So many acknowledgements fit into the smallest usual receive buffer.
constexpr size_t kBatch = 64;
// Times that a dump is tried while links come and go under it. On a busy node
// most of a few hundred links' dumps are disturbed.
constexpr int kDumpTries = 64;
// The kernel answers within the call of send, but may wait there for the rtnl
// lock; this only guards against a reply that was dropped.
constexpr timeval kTimeout = {.tv_sec = 10, .tv_usec = 0};

// Gives the request its sequence number and asks for an acknowledgement.
void Stamp(std::string& request, uint32_t sequence, uint16_t flags) {
  nlmsghdr header;
  std::memcpy(&header, request.data(), sizeof(header));
  header.nlmsg_seq = sequence;
  header.nlmsg_flags = static_cast<uint16_t>(header.nlmsg_flags | flags);
  std::memcpy(&request[0], &header, sizeof(header));
}

// Options that older kernels lack are not needed, only better.
void SetOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

// The error in an NLMSG_DONE, a negative errno.
int DumpError(const nlmsghdr* done) {
  int error = 0;
  if (done->nlmsg_len >= NLMSG_LENGTH(sizeof(error))) {
    std::memcpy(&error, NLMSG_DATA(done), sizeof(error));
  }
  return error < 0 ? -error : 0;
}

}  // namespace

absl::Status LibnlError(int code, const char* what) {
  const std::string text = absl::StrCat(what, ": ", nl_geterror(code));
  switch (std::abs(code)) {
    case NLE_AGAIN:
      return absl::DeadlineExceededError(
          absl::StrCat(what, ": no answer from the kernel"));
    case NLE_NOMEM:
      return absl::UnavailableError(
          absl::StrCat(what, ": messages were lost (no buffer space)"));
    case NLE_PERM:
    case NLE_NOACCESS:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

void NetlinkSocket::Free::operator()(nl_sock* sock) const {
  nl_socket_free(sock);
}

absl::StatusOr<NetlinkSocket> NetlinkSocket::Open() {
  Handle sock(nl_socket_alloc());
  if (sock == nullptr) {
    return absl::ResourceExhaustedError("netlink socket: out of memory");
  }
  if (const int code = nl_connect(sock.get(), NETLINK_ROUTE); code < 0) {
    return LibnlError(code, "netlink socket");
  }
  nl_socket_set_msg_buf_size(sock.get(), kReadBuffer);
  // A single link with very many attributes may exceed the buffer.
  nl_socket_enable_msg_peek(sock.get());
  const int fd = nl_socket_get_fd(sock.get());
  SetOption(fd, SOL_SOCKET, SO_RCVBUF, kSocketBuffer);
  SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, kSocketBuffer);
  SetOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSocketBuffer);
  SetOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  SetOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  SetOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof(kTimeout));
  return NetlinkSocket(std::move(sock));
}

absl::Status NetlinkSocket::Send(const std::string& bytes) {
  // nl_sendto leaves the bytes alone; its parameter only lacks a const.
  const int code =
      nl_sendto(sock_.get(), const_cast<char*>(bytes.data()), bytes.size());
  return code < 0 ? LibnlError(code, "netlink send") : absl::OkStatus();
}

absl::Status NetlinkSocket::Receive(
    const std::function<bool(const nlmsghdr*)>& each) {
  for (;;) {
    sockaddr_nl from = {};
    unsigned char* raw = nullptr;
    int left = nl_recv(sock_.get(), &from, &raw, nullptr);
    const std::unique_ptr<unsigned char, decltype(&std::free)> buffer(
        raw, &std::free);
    if (left < 0) return LibnlError(left, "netlink receive");
    if (left == 0) return absl::UnavailableError("netlink receive: closed");
    if (from.nl_pid != 0) continue;  // not from the kernel
    bool done = false;
    for (auto* message = reinterpret_cast<const nlmsghdr*>(raw);
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      done = each(message) || done;
    }
    if (done) return absl::OkStatus();
  }
}

absl::StatusOr<NetlinkReply> NetlinkSocket::Ask(std::string request) {
  std::vector<std::string> requests;
  requests.push_back(std::move(request));
  EOIP_ASSIGN_OR_RETURN(std::vector<NetlinkReply> replies,
                        AskAll(std::move(requests)));
  return std::move(replies.front());
}

absl::StatusOr<std::vector<NetlinkReply>> NetlinkSocket::AskAll(
    std::vector<std::string> requests) {
  std::vector<NetlinkReply> replies(requests.size());
  for (size_t begin = 0; begin < requests.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, requests.size() - begin);
    const uint32_t first = sequence_ + 1;
    std::string bytes;
    for (size_t i = begin; i < begin + count; ++i) {
      Stamp(requests[i], ++sequence_, NLM_F_ACK);
      bytes += requests[i];
    }
    EOIP_RETURN_IF_ERROR(Send(bytes));
    size_t missing = count;
    absl::Status malformed;
    EOIP_RETURN_IF_ERROR(Receive([&](const nlmsghdr* message) {
      const uint32_t index = message->nlmsg_seq - first;
      // Others answer a request that timed out.
      if (message->nlmsg_type != NLMSG_ERROR || index >= count) return false;
      absl::StatusOr<NetlinkReply> reply = ParseReply(message);
      if (reply.ok()) {
        replies[begin + index] = *std::move(reply);
      } else {
        malformed = reply.status();
      }
      return --missing == 0;
    }));
    EOIP_RETURN_IF_ERROR(malformed);
  }
  return replies;
}

absl::StatusOr<NetlinkReply> NetlinkSocket::Query(std::string request,
                                                  const Each& each) {
  const uint32_t sequence = ++sequence_;
  Stamp(request, sequence, NLM_F_ACK);
  EOIP_RETURN_IF_ERROR(Send(request));
  absl::StatusOr<NetlinkReply> reply = NetlinkReply{};
  EOIP_RETURN_IF_ERROR(Receive([&](const nlmsghdr* message) {
    if (message->nlmsg_seq != sequence) return false;
    if (message->nlmsg_type == NLMSG_ERROR) {
      reply = ParseReply(message);
      return true;
    }
    each(message);
    return false;
  }));
  return reply;
}

absl::StatusOr<NetlinkReply> NetlinkSocket::DumpOnce(std::string request,
                                                     const Each& each) {
  const uint32_t sequence = ++sequence_;
  Stamp(request, sequence, 0);
  EOIP_RETURN_IF_ERROR(Send(request));
  absl::StatusOr<NetlinkReply> reply = NetlinkReply{};
  bool interrupted = false;
  EOIP_RETURN_IF_ERROR(Receive([&](const nlmsghdr* message) {
    if (message->nlmsg_seq != sequence) return false;
    if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
    if (message->nlmsg_type == NLMSG_DONE) {
      if (const int error = DumpError(message)) reply->error = error;
      return true;
    }
    if (message->nlmsg_type == NLMSG_ERROR) {
      reply = ParseReply(message);
      return true;
    }
    each(message);
    return false;
  }));
  if (interrupted) {
    return absl::UnavailableError("links changed while they were listed");
  }
  return reply;
}

absl::StatusOr<NetlinkReply> NetlinkSocket::Dump(
    const std::string& request, const std::function<void()>& begin,
    const Each& each) {
  for (int tries = 1;; ++tries) {
    begin();
    absl::StatusOr<NetlinkReply> reply = DumpOnce(request, each);
    if (!absl::IsUnavailable(reply.status()) || tries == kDumpTries) {
      return reply;
    }
  }
}

}  // namespace eoip
