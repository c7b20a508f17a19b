// SPDX-License-Identifier: Apache-2.0
//
// Finds the link path of a tunnel by asking the kernel for route, link and
// neighbour. It does so on a thread of its own: on a busy host the kernel takes
// its time (while links come and go by hundreds, some 30 ms a question), and no
// worker may wait for that.
#ifndef EOIP_TAPD_PATH_FINDER_H_
#define EOIP_TAPD_PATH_FINDER_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tapd/link_path.h"
#include "tapd/tunnel_config.h"

namespace eoip::tapd {

class PathFinder {
 public:
  // The path, if the kernel would send the packet that way and nothing stands
  // between: a unicast route over an Ethernet link that is up, without
  // encapsulation, to a neighbour that is known; no IPsec policy in the
  // namespace.
  using Answer = std::function<void(std::optional<LinkPath>)>;

  // In the network namespace of the caller.
  static absl::StatusOr<std::unique_ptr<PathFinder>> Start();
  ~PathFinder() { Stop(); }

  // Asks; answer is called once, on the finder's thread. Questions are taken in
  // turn, some 50 us each on an idle host. Any thread.
  void Ask(const TunnelConfig& config, Answer answer);

  // Returns when no answer is given any more. Later questions have none.
  void Stop();

 private:
  struct Route;
  struct Question {
    TunnelConfig config;
    Answer answer;
  };

  PathFinder() = default;
  void Run();
  std::optional<LinkPath> Find(const TunnelConfig& config);
  bool HasIpsecPolicies();
  std::optional<Route> FindRoute(const TunnelConfig& config);
  bool FillLink(LinkPath* path);
  bool FillNeighbour(bool ipv6, const Address& next_hop, LinkPath* path);

  UniqueFd query_;
  UniqueFd xfrm_query_;

  // Guards what follows, but for the thread.
  std::mutex mu_;
  std::condition_variable changed_;
  std::deque<Question> questions_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_PATH_FINDER_H_
