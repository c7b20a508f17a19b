// SPDX-License-Identifier: Apache-2.0
#include "tapd/handover_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace eoip::tapd {
namespace {

constexpr size_t kMaxText = 32 << 10;
// The kernel takes up to 253 per packet.
constexpr size_t kMaxDescriptors = 200;

}  // namespace

absl::StatusOr<std::pair<UniqueFd, UniqueFd>> HandoverChannel::MakePair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   fds) != 0) {
    return ErrnoToStatus(errno, "pair of sockets");
  }
  return std::make_pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

absl::Status HandoverChannel::Wait(short events) {
  const absl::Time deadline = absl::Now() + timeout_;
  while (true) {
    const int64_t left_ms =
        std::max<int64_t>(0, absl::ToInt64Milliseconds(deadline - absl::Now()));
    pollfd p{fd_.get(), events, 0};
    const int n = ::poll(&p, 1, static_cast<int>(left_ms));
    if (n > 0) return absl::OkStatus();
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "poll");
    if (left_ms == 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("the other process said nothing for ",
                       absl::FormatDuration(timeout_)));
    }
  }
}

absl::Status HandoverChannel::SendPacket(HandoverWord word,
                                         absl::string_view text,
                                         absl::Span<const int> descriptors) {
  iovec iov[2] = {{&word, 1}, {const_cast<char*>(text.data()), text.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = iov;
  message.msg_iovlen = 2;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(),
                descriptors.size() * sizeof(int));
  }
  while (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN)
      return ErrnoToStatus(errno, "send to the other process");
    EOIP_RETURN_IF_ERROR(Wait(POLLOUT));
  }
  return absl::OkStatus();
}

absl::StatusOr<HandoverChannel::Packet> HandoverChannel::ReceivePacket() {
  Packet packet;
  packet.text.resize(kMaxText);
  iovec iov[2] = {{&packet.word, 1}, {packet.text.data(), packet.text.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = iov;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t n;
  while ((n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      return ErrnoToStatus(errno, "receive from the other process");
    }
    EOIP_RETURN_IF_ERROR(Wait(POLLIN));
  }
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = CMSG_LEN(0); at < c->cmsg_len; at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, reinterpret_cast<char*>(c) + at, sizeof(fd));
      packet.descriptors.emplace_back(fd);
    }
  }
  if (n == 0) return absl::UnavailableError("the other process is gone");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::ResourceExhaustedError(
        "a packet of the other process is too large, or there is no room for "
        "its descriptors (LimitNOFILE)");
  }
  packet.text.resize(static_cast<size_t>(n) - 1);
  return packet;
}

absl::Status HandoverChannel::Send(HandoverWord word, absl::string_view text) {
  return SendPacket(word, text, {});
}

absl::StatusOr<std::string> HandoverChannel::Receive(HandoverWord word) {
  EOIP_ASSIGN_OR_RETURN(Packet packet, ReceivePacket());
  if (packet.word != word) {
    return absl::InvalidArgumentError(
        absl::StrCat("the other process said '", static_cast<int>(packet.word),
                     "' where '", static_cast<int>(word), "' is due"));
  }
  return std::move(packet.text);
}

absl::Status HandoverChannel::SendState(absl::string_view bytes,
                                        absl::Span<const int> descriptors) {
  for (; !bytes.empty();
       bytes.remove_prefix(std::min(bytes.size(), kMaxText))) {
    EOIP_RETURN_IF_ERROR(
        SendPacket(HandoverWord::kState, bytes.substr(0, kMaxText), {}));
  }
  for (size_t at = 0; at < descriptors.size(); at += kMaxDescriptors) {
    EOIP_RETURN_IF_ERROR(SendPacket(HandoverWord::kDescriptors, "",
                                    descriptors.subspan(at, kMaxDescriptors)));
  }
  return SendPacket(HandoverWord::kEnd, "", {});
}

absl::StatusOr<HandoverChannel::State> HandoverChannel::ReceiveState() {
  State state;
  while (true) {
    EOIP_ASSIGN_OR_RETURN(Packet packet, ReceivePacket());
    if (packet.word == HandoverWord::kEnd) return state;
    if (packet.word != HandoverWord::kState &&
        packet.word != HandoverWord::kDescriptors) {
      return absl::InvalidArgumentError(
          "the state of the other process breaks off");
    }
    state.bytes += packet.text;
    for (UniqueFd& fd : packet.descriptors) {
      state.descriptors.push_back(std::move(fd));
    }
    if (state.bytes.size() > kMaxHandoverBytes ||
        state.descriptors.size() > kMaxHandoverDescriptors) {
      return absl::ResourceExhaustedError(
          "the state of the other process is too large");
    }
  }
}

}  // namespace eoip::tapd
