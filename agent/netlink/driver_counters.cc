// SPDX-License-Identifier: Apache-2.0
#include "netlink/driver_counters.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip {
namespace {

// Runs one ethtool command; returns its errno, 0: done.
int Ethtool(int fd, const std::string& link, void* command) {
  ifreq request = {};
  std::memcpy(request.ifr_name, link.data(),
              std::min(link.size(), sizeof(request.ifr_name) - 1));
  request.ifr_data = static_cast<char*>(command);
  return ioctl(fd, SIOCETHTOOL, &request) < 0 ? errno : 0;
}

// A struct of ethtool with room for its array, aligned for 64-bit values.
template <typename T>
class Command {
 public:
  Command(uint32_t cmd, size_t array_bytes)
      : words_((sizeof(T) + array_bytes + 7) / 8) {
    get()->cmd = cmd;
  }
  T* get() { return reinterpret_cast<T*>(words_.data()); }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace

absl::StatusOr<std::map<std::string, uint64_t>> ReadDriverCounters(
    int fd, const std::string& link) {
  const std::string what = absl::StrCat("counters of ", link);
  std::map<std::string, uint64_t> counters;
  Command<ethtool_sset_info> info(ETHTOOL_GSSET_INFO, sizeof(uint32_t));
  info.get()->sset_mask = 1ull << ETH_SS_STATS;
  if (const int error = Ethtool(fd, link, info.get())) {
    if (error == EOPNOTSUPP) return counters;
    return ErrnoToStatus(error, what);
  }
  if (info.get()->sset_mask == 0) return counters;
  const uint32_t count = info.get()->data[0];

  Command<ethtool_gstrings> names(ETHTOOL_GSTRINGS,
                                  size_t{count} * ETH_GSTRING_LEN);
  names.get()->string_set = ETH_SS_STATS;
  names.get()->len = count;
  Command<ethtool_stats> values(ETHTOOL_GSTATS,
                                size_t{count} * sizeof(uint64_t));
  values.get()->n_stats = count;
  if (const int error = Ethtool(fd, link, names.get())) {
    return ErrnoToStatus(error, what);
  }
  if (const int error = Ethtool(fd, link, values.get())) {
    return ErrnoToStatus(error, what);
  }
  const uint32_t known =
      std::min({count, names.get()->len, values.get()->n_stats});
  for (uint32_t i = 0; i < known; ++i) {
    const char* name = reinterpret_cast<const char*>(names.get()->data) +
                       size_t{i} * ETH_GSTRING_LEN;
    counters[std::string(name, strnlen(name, ETH_GSTRING_LEN))] =
        values.get()->data[i];
  }
  return counters;
}

void AddDriverCounters(const std::map<std::string, uint64_t>& from,
                       TunnelCounters& to) {
  static constexpr absl::string_view kDetails[] = {
      "rx_mss_clamped", "rx_icmp_errors", "tx_keepalive_errors", "tx_gso_soft"};
  for (const auto& [name, value] : from) {
    if (name == "rx_keepalives") {
      to.rx_keepalives = value;
    } else if (name == "tx_keepalives") {
      to.tx_keepalives = value;
    } else if (value > 0) {
      const bool detail = std::count(std::begin(kDetails), std::end(kDetails),
                                     absl::string_view(name)) > 0;
      (detail ? to.details : to.drops)[name] = value;
    }
  }
}

}  // namespace eoip
