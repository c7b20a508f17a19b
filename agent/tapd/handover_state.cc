// SPDX-License-Identifier: Apache-2.0
#include "tapd/handover_state.h"

#include <limits>
#include <set>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip::tapd {
namespace {

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("handed-over state: ", what));
}

// Hands out every descriptor once.
class Descriptors {
 public:
  explicit Descriptors(size_t count) : used_(count, false) {}

  absl::Status Use(uint32_t number) {
    if (number >= used_.size() || used_[number]) {
      return Invalid(absl::StrCat("descriptor ", number, " of ", used_.size(),
                                  ": does not exist or is named twice"));
    }
    used_[number] = true;
    return absl::OkStatus();
  }
  absl::Status AllUsed() const {
    for (size_t i = 0; i < used_.size(); ++i) {
      if (!used_[i]) return Invalid(absl::StrCat("descriptor ", i, ": no use"));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<bool> used_;
};

absl::Status CheckWorkers(const v1::Handover& message, int workers,
                          Descriptors* descriptors) {
  if (message.workers_size() != workers) {
    return absl::FailedPreconditionError(
        absl::StrCat("handed-over state: ", message.workers_size(),
                     " workers, this process has ", workers));
  }
  for (const v1::WorkerHandover& worker : message.workers()) {
    if (worker.has_v4()) EOIP_RETURN_IF_ERROR(descriptors->Use(worker.v4()));
    if (worker.has_v4_df()) {
      EOIP_RETURN_IF_ERROR(descriptors->Use(worker.v4_df()));
    }
    if (worker.has_v6()) EOIP_RETURN_IF_ERROR(descriptors->Use(worker.v6()));
  }
  return absl::OkStatus();
}

absl::Status CheckTunnel(const v1::TunnelHandover& tunnel, int workers,
                         Descriptors* descriptors) {
  const std::string& name = tunnel.tunnel().config().name();
  if (tunnel.queues_size() != workers) {
    return Invalid(absl::StrCat("tunnel ", name, ": ", tunnel.queues_size(),
                                " queues for ", workers, " workers"));
  }
  for (uint32_t queue : tunnel.queues()) {
    EOIP_RETURN_IF_ERROR(descriptors->Use(queue));
  }
  if (tunnel.writers_size() != (workers > 1 ? workers : 0)) {
    return Invalid(absl::StrCat("tunnel ", name, ": ", tunnel.writers_size(),
                                " writers for ", workers, " workers"));
  }
  for (uint32_t writer : tunnel.writers()) {
    EOIP_RETURN_IF_ERROR(descriptors->Use(writer));
  }
  if (tunnel.home() >= static_cast<uint32_t>(workers)) {
    return Invalid(absl::StrCat("tunnel ", name, ": home ", tunnel.home()));
  }
  if (tunnel.last_heard_ns() < -1 || tunnel.next_keepalive_ns() < 0) {
    return Invalid(absl::StrCat("tunnel ", name, ": a time before the start"));
  }
  return absl::OkStatus();
}

// The sockets that tunnels need are there; each worker has the same.
absl::Status CheckSockets(const HandoverState& state) {
  for (const TunnelConfig& config : state.configs) {
    for (const v1::WorkerHandover& worker : state.message.workers()) {
      const bool has = config.ipv6 ? worker.has_v6()
                                   : worker.has_v4() && (!config.inherit_df ||
                                                         worker.has_v4_df());
      if (!has) {
        return Invalid(absl::StrCat("tunnel ", config.name,
                                    ": a worker has no socket for it"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HandoverState> ParseHandover(absl::string_view bytes,
                                            size_t descriptors, int workers) {
  HandoverState state;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !state.message.ParseFromArray(bytes.data(),
                                    static_cast<int>(bytes.size()))) {
    return Invalid("cannot be read");
  }
  const v1::Handover& message = state.message;
  if (message.format() < 1) return Invalid("has no format");
  if (message.format() > kHandoverFormat) {
    return absl::FailedPreconditionError(absl::StrCat(
        "handed-over state of eoip-tapd ", message.version(), ": format ",
        message.format(), ", this program reads up to ", kHandoverFormat));
  }
  if (message.descriptors() != descriptors) {
    return Invalid(absl::StrCat(descriptors, " descriptors came, ",
                                message.descriptors(), " were announced"));
  }
  Descriptors unused(descriptors);
  EOIP_RETURN_IF_ERROR(unused.Use(message.lock()));
  EOIP_RETURN_IF_ERROR(CheckWorkers(message, workers, &unused));
  std::set<std::string> names;
  std::set<std::tuple<bool, uint32_t, Address, bool, Address>> keys;
  for (const v1::TunnelHandover& tunnel : message.tunnels()) {
    EOIP_ASSIGN_OR_RETURN(TunnelConfig config,
                          ParseTunnelConfig(tunnel.tunnel().config()));
    EOIP_RETURN_IF_ERROR(CheckTunnel(tunnel, workers, &unused));
    if (!names.insert(config.name).second ||
        !keys.emplace(config.ipv6, config.tunnel_id, config.remote,
                      config.has_local, config.local)
             .second) {
      return Invalid(absl::StrCat("tunnel ", config.name,
                                  ": another has its name or key"));
    }
    state.configs.push_back(std::move(config));
  }
  EOIP_RETURN_IF_ERROR(unused.AllUsed());
  EOIP_RETURN_IF_ERROR(CheckSockets(state));
  return state;
}

}  // namespace eoip::tapd
