// SPDX-License-Identifier: Apache-2.0
#include "service/convert.h"

#include "absl/strings/str_cat.h"
#include "model/names.h"

namespace eoip {
namespace {

v1::TunnelStatus::State StateToProto(TunnelState state) {
  switch (state) {
    case TunnelState::kPending:
      return v1::TunnelStatus::PENDING;
    case TunnelState::kActive:
      return v1::TunnelStatus::ACTIVE;
    case TunnelState::kPeerDown:
      return v1::TunnelStatus::PEER_DOWN;
    case TunnelState::kFailed:
      return v1::TunnelStatus::FAILED;
    case TunnelState::kDeleting:
      return v1::TunnelStatus::DELETING;
    case TunnelState::kDisabled:
      return v1::TunnelStatus::DISABLED;
  }
  return v1::TunnelStatus::STATE_UNSPECIFIED;
}

v1::NetworkStatus::State StateToProto(NetworkState state) {
  switch (state) {
    case NetworkState::kPending:
      return v1::NetworkStatus::PENDING;
    case NetworkState::kActive:
      return v1::NetworkStatus::ACTIVE;
    case NetworkState::kDegraded:
      return v1::NetworkStatus::DEGRADED;
    case NetworkState::kFailed:
      return v1::NetworkStatus::FAILED;
    case NetworkState::kDeleting:
      return v1::NetworkStatus::DELETING;
  }
  return v1::NetworkStatus::STATE_UNSPECIFIED;
}

v1::AttachmentStatus::State StateToProto(AttachmentState state) {
  switch (state) {
    case AttachmentState::kPending:
      return v1::AttachmentStatus::PENDING;
    case AttachmentState::kActive:
      return v1::AttachmentStatus::ACTIVE;
    case AttachmentState::kFailed:
      return v1::AttachmentStatus::FAILED;
    case AttachmentState::kDeleting:
      return v1::AttachmentStatus::DELETING;
  }
  return v1::AttachmentStatus::STATE_UNSPECIFIED;
}

v1::Lease::State StateToProto(LeaseState state) {
  switch (state) {
    case LeaseState::kAcquiring:
      return v1::Lease::ACQUIRING;
    case LeaseState::kBound:
      return v1::Lease::BOUND;
    case LeaseState::kRenewing:
      return v1::Lease::RENEWING;
    case LeaseState::kRebinding:
      return v1::Lease::REBINDING;
  }
  return v1::Lease::STATE_UNSPECIFIED;
}

v1::Lease LeaseToProto(const LeaseStatus& status) {
  v1::Lease proto;
  proto.set_state(StateToProto(status.state));
  proto.set_reason(status.reason);
  if (!status.lease) return proto;
  const Lease& lease = *status.lease;
  proto.set_address(
      absl::StrCat(lease.address.ToString(), "/", lease.prefix_length));
  if (!lease.gateway.IsUnspecified()) {
    proto.set_gateway(lease.gateway.ToString());
  }
  for (const LeaseRoute& route : lease.routes) {
    v1::LeaseRoute* out = proto.add_routes();
    out->set_destination(
        absl::StrCat(route.destination.ToString(), "/", route.prefix_length));
    if (!route.gateway.IsUnspecified()) {
      out->set_gateway(route.gateway.ToString());
    }
  }
  for (const IpAddress& address : lease.nameservers) {
    proto.add_nameservers(address.ToString());
  }
  proto.set_domain(lease.domain);
  proto.set_mtu(lease.mtu);
  proto.set_server(lease.server.ToString());
  *proto.mutable_acquire_time() = ToProto(lease.acquired_at);
  if (lease.expires_at != absl::InfiniteFuture()) {
    *proto.mutable_renew_time() = ToProto(lease.renew_at);
    *proto.mutable_rebind_time() = ToProto(lease.rebind_at);
    *proto.mutable_expire_time() = ToProto(lease.expires_at);
  }
  return proto;
}

// A state that never changed has no time.
template <typename Proto>
void SetLastChange(absl::Time time, Proto* proto) {
  if (time != absl::Time()) *proto->mutable_last_change() = ToProto(time);
}

}  // namespace

v1::Datapath ToProto(DatapathType type) {
  switch (type) {
    case DatapathType::kAuto:
      return v1::AUTO;
    case DatapathType::kKernel:
      return v1::KERNEL;
    case DatapathType::kBpf:
      return v1::BPF;
    case DatapathType::kTap:
      return v1::TAP;
  }
  return v1::DATAPATH_UNSPECIFIED;
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) {
    return proto;
  }
  const timespec value = absl::ToTimespec(time);
  proto.set_seconds(value.tv_sec);
  proto.set_nanos(static_cast<int32_t>(value.tv_nsec));
  return proto;
}

v1::TunnelStatus ToProto(const TunnelStatus& status) {
  v1::TunnelStatus proto;
  proto.set_state(StateToProto(status.state));
  proto.set_reason(status.reason);
  if (status.datapath) proto.set_datapath(ToProto(*status.datapath));
  proto.set_datapath_reason(status.datapath_reason);
  proto.set_effective_mtu(status.effective_mtu);
  proto.set_ifindex(status.ifindex);
  if (status.mac) proto.set_mac(status.mac->ToString());
  if (status.last_heard) {
    *proto.mutable_last_heard() = ToProto(*status.last_heard);
  }
  SetLastChange(status.last_change, &proto);
  if (!status.network.empty()) proto.set_network(NetworkName(status.network));
  return proto;
}

v1::NetworkStatus ToProto(const NetworkStatus& status) {
  v1::NetworkStatus proto;
  proto.set_state(StateToProto(status.state));
  proto.set_reason(status.reason);
  proto.set_ifindex(status.ifindex);
  proto.set_effective_mtu(status.effective_mtu);
  proto.set_attachments(status.attachments);
  proto.set_tunnels(status.tunnels);
  proto.set_tunnels_active(status.tunnels_active);
  SetLastChange(status.last_change, &proto);
  return proto;
}

v1::AttachmentStatus ToProto(const AttachmentStatus& status) {
  v1::AttachmentStatus proto;
  proto.set_state(StateToProto(status.state));
  proto.set_reason(status.reason);
  proto.set_ifindex(status.ifindex);
  proto.set_effective_mtu(status.effective_mtu);
  SetLastChange(status.last_change, &proto);
  if (!status.lease) return proto;
  *proto.mutable_lease() = LeaseToProto(*status.lease);
  // A port without its address does not do what it was made for.
  if (!status.lease->lease && status.state == AttachmentState::kActive) {
    const std::string& why = status.lease->reason;
    proto.set_state(why.empty() ? v1::AttachmentStatus::PENDING
                                : v1::AttachmentStatus::FAILED);
    proto.set_reason(
        absl::StrCat("DHCP: ", why.empty() ? "waits for a server" : why));
  } else if (proto.reason().empty() && !status.lease->reason.empty()) {
    proto.set_reason(absl::StrCat("DHCP: ", status.lease->reason));
  }
  return proto;
}

v1::Counters ToProto(const TunnelCounters& counters) {
  v1::Counters proto;
  proto.set_rx_packets(counters.rx_packets);
  proto.set_rx_bytes(counters.rx_bytes);
  proto.set_tx_packets(counters.tx_packets);
  proto.set_tx_bytes(counters.tx_bytes);
  proto.set_rx_keepalives(counters.rx_keepalives);
  proto.set_tx_keepalives(counters.tx_keepalives);
  for (const auto& [cause, count] : counters.drops) {
    (*proto.mutable_drops())[cause] = count;
  }
  for (const auto& [name, count] : counters.details) {
    (*proto.mutable_details())[name] = count;
  }
  return proto;
}

v1::ListWorkersResponse ToProto(const WorkersReading& reading) {
  const auto traffic = [](const WorkerTraffic& from, v1::WorkerTraffic* to) {
    to->set_packets(from.packets);
    to->set_bytes(from.bytes);
    to->set_batches(from.batches);
    to->mutable_batch_sizes()->Assign(from.batch_sizes.begin(),
                                      from.batch_sizes.end());
  };
  v1::ListWorkersResponse proto;
  for (const WorkerCounters& from : reading.workers) {
    v1::Worker* to = proto.add_workers();
    to->set_index(static_cast<uint32_t>(proto.workers_size() - 1));
    traffic(from.rx, to->mutable_rx());
    traffic(from.tx, to->mutable_tx());
    to->set_waits(from.waits);
    to->set_idle_polls(from.idle_polls);
    to->mutable_drops()->insert(from.drops.begin(), from.drops.end());
  }
  if (!reading.workers.empty()) {
    *proto.mutable_start_time() = ToProto(reading.since);
  }
  return proto;
}

}  // namespace eoip
