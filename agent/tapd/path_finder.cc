// SPDX-License-Identifier: Apache-2.0
#include "tapd/path_finder.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "base/status.h"

namespace eoip::tapd {
namespace {

// A request with room for a few attributes.
template <typename Body>
struct Request {
  nlmsghdr header{};
  Body body{};
  std::array<uint8_t, 128> attributes{};

  explicit Request(uint16_t type, uint16_t flags = 0) {
    header.nlmsg_len = NLMSG_LENGTH(sizeof(Body));
    header.nlmsg_type = type;
    header.nlmsg_flags = NLM_F_REQUEST | flags;
  }
  void Add(uint16_t type, const void* data, size_t size) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
    uint8_t* at =
        reinterpret_cast<uint8_t*>(this) + NLMSG_ALIGN(header.nlmsg_len);
    std::memcpy(at, &attribute, sizeof(attribute));
    std::memcpy(at + RTA_LENGTH(0), data, size);
    header.nlmsg_len = static_cast<uint32_t>(NLMSG_ALIGN(header.nlmsg_len) +
                                             RTA_ALIGN(attribute.rta_len));
  }
};

// Sends a request and gives its first answer to use; false: an error, or none.
bool Query(int fd, const void* request, size_t size, uint16_t answer_type,
           const std::function<bool(const nlmsghdr*)>& use) {
  if (::send(fd, request, size, 0) != static_cast<ssize_t>(size)) return false;
  alignas(nlmsghdr) char reply[16384];
  const ssize_t n = ::recv(fd, reply, sizeof(reply), 0);
  if (n < 0) return false;
  const auto* header = reinterpret_cast<const nlmsghdr*>(reply);
  return NLMSG_OK(header, static_cast<unsigned int>(n)) &&
         header->nlmsg_type == answer_type && use(header);
}

template <typename Body>
void ForEachAttribute(const nlmsghdr* header,
                      const std::function<void(const rtattr*)>& use) {
  int left = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof(Body)));
  const auto* a = reinterpret_cast<const rtattr*>(
      static_cast<const char*>(NLMSG_DATA(header)) + NLMSG_ALIGN(sizeof(Body)));
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) use(a);
}

template <typename T>
bool Read(const rtattr* a, T* out) {
  if (RTA_PAYLOAD(a) < sizeof(T)) return false;
  std::memcpy(out, RTA_DATA(a), sizeof(T));
  return true;
}

}  // namespace

struct PathFinder::Route {
  LinkPath path;
  Address next_hop{};
};

absl::StatusOr<std::unique_ptr<PathFinder>> PathFinder::Start() {
  std::unique_ptr<PathFinder> finder(new PathFinder());
  finder->query_.reset(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!finder->query_.valid()) return ErrnoToStatus(errno, "netlink socket");
  // A kernel without IPsec has no policies.
  finder->xfrm_query_.reset(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM));
  finder->thread_ = std::thread([raw = finder.get()] { raw->Run(); });
  return finder;
}

void PathFinder::Ask(const TunnelConfig& config, Answer answer) {
  std::lock_guard lock(mu_);
  if (stop_) return;
  questions_.push_back({config, std::move(answer)});
  changed_.notify_one();
}

void PathFinder::Stop() {
  {
    std::lock_guard lock(mu_);
    stop_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void PathFinder::Run() {
  // Signals are the main thread's.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "tapd-paths");
  std::unique_lock lock(mu_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !questions_.empty(); });
    if (stop_) return;
    Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    question.answer(Find(question.config));
    lock.lock();
  }
}

bool PathFinder::HasIpsecPolicies() {
  if (!xfrm_query_.valid()) return false;
  Request<xfrm_userpolicy_id> request(XFRM_MSG_GETPOLICY, NLM_F_DUMP);
  if (::send(xfrm_query_.get(), &request, request.header.nlmsg_len, 0) < 0) {
    return true;
  }
  bool any = false;
  alignas(nlmsghdr) char reply[16384];
  while (true) {
    const ssize_t n = ::recv(xfrm_query_.get(), reply, sizeof(reply), 0);
    if (n < 0) return true;
    auto* header = reinterpret_cast<const nlmsghdr*>(reply);
    auto left = static_cast<unsigned int>(n);
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return any;
      // An error ends the answer; then the raw socket is the safe way.
      if (header->nlmsg_type == NLMSG_ERROR) return true;
      any = true;
    }
  }
}

std::optional<PathFinder::Route> PathFinder::FindRoute(
    const TunnelConfig& config) {
  const size_t size = config.ipv6 ? 16 : 4;
  Request<rtmsg> request(RTM_GETROUTE);
  request.body.rtm_family = config.ipv6 ? AF_INET6 : AF_INET;
  request.body.rtm_dst_len = static_cast<unsigned char>(size * 8);
  request.Add(RTA_DST, config.remote.data(), size);
  if (config.has_local) {
    request.body.rtm_src_len = static_cast<unsigned char>(size * 8);
    request.Add(RTA_SRC, config.local.data(), size);
  }
  if (config.underlay_ifindex != 0) {
    request.Add(RTA_OIF, &config.underlay_ifindex, 4);
  }
  if (config.fwmark != 0) request.Add(RTA_MARK, &config.fwmark, 4);
  Route route;
  route.next_hop = config.remote;
  route.path.source = config.local;
  bool plain = true;
  bool has_source = config.has_local;
  const bool answered =
      Query(query_.get(), &request, request.header.nlmsg_len, RTM_NEWROUTE,
            [&](const nlmsghdr* header) {
              const auto* body = static_cast<const rtmsg*>(NLMSG_DATA(header));
              plain = body->rtm_type == RTN_UNICAST;
              ForEachAttribute<rtmsg>(header, [&](const rtattr* a) {
                switch (a->rta_type) {
                  case RTA_OIF:
                    Read(a, &route.path.ifindex);
                    break;
                  case RTA_GATEWAY:
                    std::memcpy(route.next_hop.data(), RTA_DATA(a),
                                std::min<size_t>(size, RTA_PAYLOAD(a)));
                    break;
                  case RTA_PREFSRC:
                    if (has_source) break;
                    std::memcpy(route.path.source.data(), RTA_DATA(a),
                                std::min<size_t>(size, RTA_PAYLOAD(a)));
                    has_source = true;
                    break;
                  case RTA_METRICS: {
                    int left = static_cast<int>(RTA_PAYLOAD(a));
                    const auto* m = static_cast<const rtattr*>(RTA_DATA(a));
                    for (; RTA_OK(m, left); m = RTA_NEXT(m, left)) {
                      if (m->rta_type == RTAX_MTU) Read(m, &route.path.mtu);
                    }
                    break;
                  }
                  case RTA_VIA:
                  case RTA_MULTIPATH:
                  case RTA_ENCAP:
                    plain = false;
                    break;
                }
              });
              return true;
            });
  if (!answered || !plain || !has_source || route.path.ifindex == 0) {
    return std::nullopt;
  }
  return route;
}

bool PathFinder::FillLink(LinkPath* path) {
  Request<ifinfomsg> request(RTM_GETLINK);
  request.body.ifi_index = path->ifindex;
  bool has_mac = false;
  uint32_t mtu = 0;
  const bool ok = Query(
      query_.get(), &request, request.header.nlmsg_len, RTM_NEWLINK,
      [&](const nlmsghdr* header) {
        const auto* body = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
        ForEachAttribute<ifinfomsg>(header, [&](const rtattr* a) {
          if (a->rta_type == IFLA_MTU) Read(a, &mtu);
          if (a->rta_type == IFLA_ADDRESS) {
            has_mac = RTA_PAYLOAD(a) == 6 && Read(a, &path->source_mac);
          }
        });
        return body->ifi_type == ARPHRD_ETHER && (body->ifi_flags & IFF_UP) &&
               !(body->ifi_flags & IFF_NOARP);
      });
  if (path->mtu == 0 || mtu < path->mtu) path->mtu = mtu;
  return ok && has_mac;
}

bool PathFinder::FillNeighbour(bool ipv6, const Address& next_hop,
                               LinkPath* path) {
  Request<ndmsg> request(RTM_GETNEIGH);
  request.body.ndm_family = ipv6 ? AF_INET6 : AF_INET;
  request.body.ndm_ifindex = path->ifindex;
  request.Add(NDA_DST, next_hop.data(), ipv6 ? 16 : 4);
  bool has_mac = false;
  const bool ok = Query(
      query_.get(), &request, request.header.nlmsg_len, RTM_NEWNEIGH,
      [&](const nlmsghdr* header) {
        const auto* body = static_cast<const ndmsg*>(NLMSG_DATA(header));
        ForEachAttribute<ndmsg>(header, [&](const rtattr* a) {
          if (a->rta_type == NDA_LLADDR) {
            has_mac = RTA_PAYLOAD(a) == 6 && Read(a, &path->neighbour_mac);
          }
        });
        return (body->ndm_state & (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE |
                                   NUD_DELAY | NUD_PROBE)) != 0;
      });
  return ok && has_mac;
}

std::optional<LinkPath> PathFinder::Find(const TunnelConfig& config) {
  if (HasIpsecPolicies()) return std::nullopt;
  std::optional<Route> route = FindRoute(config);
  if (!route.has_value() || !FillLink(&route->path) ||
      !FillNeighbour(config.ipv6, route->next_hop, &route->path)) {
    return std::nullopt;
  }
  return route->path;
}

}  // namespace eoip::tapd
