// SPDX-License-Identifier: Apache-2.0
#include "netlink/monitor.h"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "netlink/messages.h"
#include "netlink/netlink_socket.h"

namespace eoip {
namespace {

// Room for some thousand events while the callback is busy.
constexpr int kReceiveBuffer = 8 * 1024 * 1024;
constexpr size_t kReadBuffer = 64 * 1024;
// Pause after an error that may go on, so that it costs no CPU.
constexpr int kErrorPauseMs = 200;

struct FreeSocket {
  void operator()(nl_sock* sock) const { nl_socket_free(sock); }
};
using Handle = std::unique_ptr<nl_sock, FreeSocket>;

absl::StatusOr<Handle> Subscribe() {
  Handle sock(nl_socket_alloc());
  if (sock == nullptr) {
    return absl::ResourceExhaustedError("netlink socket: out of memory");
  }
  if (const int code = nl_connect(sock.get(), NETLINK_ROUTE); code < 0) {
    return LibnlError(code, "netlink socket");
  }
  nl_socket_set_msg_buf_size(sock.get(), kReadBuffer);
  nl_socket_enable_msg_peek(sock.get());
  const int fd = nl_socket_get_fd(sock.get());
  const int size = kReceiveBuffer;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
  if (const int code = nl_socket_set_nonblocking(sock.get()); code < 0) {
    return LibnlError(code, "netlink socket");
  }
  if (const int code = nl_socket_add_membership(sock.get(), RTNLGRP_LINK);
      code < 0) {
    return LibnlError(code, "join the group of link events");
  }
  return sock;
}

}  // namespace

class LinkMonitor::Worker {
 public:
  Worker(Handle events, NetlinkSocket requests, UniqueFd stop, OnLink on_link,
         OnLost on_lost)
      : events_(std::move(events)),
        requests_(std::move(requests)),
        stop_(std::move(stop)),
        on_link_(std::move(on_link)),
        on_lost_(std::move(on_lost)) {}

  ~Worker() {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    // An eventfd takes a 1 always.
    (void)!write(stop_.get(), &one, sizeof(one));
    thread_.join();
  }

  absl::Status Start() {
    EOIP_RETURN_IF_ERROR(LearnNames());
    thread_ = std::thread([this] { Loop(); });
    return absl::OkStatus();
  }

 private:
  absl::Status LearnNames() {
    std::map<uint32_t, std::string> names;
    EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                          requests_.Dump(
                              MakeDumpLinks(), [&] { names.clear(); },
                              [&](const nlmsghdr* message) {
                                const absl::StatusOr<LinkNews> news =
                                    ParseNews(message);
                                if (news.ok())
                                  names[news->ifindex] = news->name;
                              }));
    EOIP_RETURN_IF_ERROR(reply.ToStatus("list links"));
    names_ = std::move(names);
    return absl::OkStatus();
  }

  void Loop() {
    pollfd polled[2] = {{nl_socket_get_fd(events_.get()), POLLIN, 0},
                        {stop_.get(), POLLIN, 0}};
    for (;;) {
      if (poll(polled, 2, -1) < 0) {
        if (errno == EINTR) continue;
        LogError("link monitor: ", ErrnoToStatus(errno, "poll").message());
        Pause();
        continue;
      }
      if (polled[1].revents != 0) return;
      if (polled[0].revents != 0) Read();
    }
  }

  void Pause() {
    pollfd polled = {stop_.get(), POLLIN, 0};
    poll(&polled, 1, kErrorPauseMs);
  }

  void Read() {
    sockaddr_nl from = {};
    unsigned char* raw = nullptr;
    int left = nl_recv(events_.get(), &from, &raw, nullptr);
    const std::unique_ptr<unsigned char, decltype(&std::free)> buffer(
        raw, &std::free);
    if (left == 0 || left == -NLE_AGAIN) return;
    if (left < 0) {
      Lost(left);
      return;
    }
    if (from.nl_pid != 0) return;  // not from the kernel
    for (auto* message = reinterpret_cast<const nlmsghdr*>(raw);
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      Tell(message);
    }
  }

  void Lost(int code) {
    // Usual when very many links change at once.
    LogInfo("link monitor: ", LibnlError(code, "read events").message(),
            "; looking at everything");
    if (code != -NLE_NOMEM) Pause();
    Drain();
    if (absl::Status status = LearnNames(); !status.ok()) {
      LogWarning("link monitor: ", status.message());
    }
    on_lost_();
  }

  // Until its queue was empty once, the kernel drops further events without
  // saying so again. Only then a look sees all that was missed.
  void Drain() {
    for (;;) {
      sockaddr_nl from = {};
      unsigned char* raw = nullptr;
      const int read = nl_recv(events_.get(), &from, &raw, nullptr);
      std::free(read > 0 ? raw : nullptr);
      if (read <= 0 && read != -NLE_NOMEM) return;
    }
  }

  void Tell(const nlmsghdr* message) {
    if (message->nlmsg_type != RTM_NEWLINK &&
        message->nlmsg_type != RTM_DELLINK) {
      return;
    }
    const absl::StatusOr<LinkNews> news = ParseNews(message);
    if (!news.ok()) {
      LogWarning("link monitor: ", news.status().message());
      on_lost_();
      return;
    }
    const auto known = names_.find(news->ifindex);
    if (known != names_.end() && known->second != news->name) {
      on_link_(known->second);
    }
    if (news->deleted) {
      if (known != names_.end()) names_.erase(known);
    } else {
      names_[news->ifindex] = news->name;
    }
    on_link_(news->name);
  }

  Handle events_;
  NetlinkSocket requests_;
  UniqueFd stop_;
  const OnLink on_link_;
  const OnLost on_lost_;
  std::map<uint32_t, std::string> names_;  // by ifindex
  std::thread thread_;
};

LinkMonitor::LinkMonitor(std::unique_ptr<Worker> worker)
    : worker_(std::move(worker)) {}

LinkMonitor::~LinkMonitor() = default;

absl::StatusOr<std::unique_ptr<LinkMonitor>> LinkMonitor::Start(
    OnLink on_link, OnLost on_lost) {
  EOIP_ASSIGN_OR_RETURN(Handle events, Subscribe());
  EOIP_ASSIGN_OR_RETURN(NetlinkSocket requests, NetlinkSocket::Open());
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return ErrnoToStatus(errno, "eventfd");
  auto worker = std::make_unique<Worker>(std::move(events), std::move(requests),
                                         std::move(stop), std::move(on_link),
                                         std::move(on_lost));
  EOIP_RETURN_IF_ERROR(worker->Start());
  return std::unique_ptr<LinkMonitor>(new LinkMonitor(std::move(worker)));
}

}  // namespace eoip
