// SPDX-License-Identifier: Apache-2.0
#include "datapath/tap_convert.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip {
namespace {

std::optional<absl::Duration> LastHeard(const tapd::v1::TapTunnel& tunnel) {
  if (tunnel.last_heard_ms() < 0) return std::nullopt;
  return absl::Milliseconds(tunnel.last_heard_ms());
}

absl::StatusOr<TunnelConfig> ConfigFromTapd(
    const tapd::v1::TunnelConfig& proto) {
  TunnelConfig config;
  config.name = proto.name();
  config.kind = proto.ipv6() ? TunnelKind::kEoipV6 : TunnelKind::kEoip;
  EOIP_ASSIGN_OR_RETURN(config.remote, IpAddress::FromBytes(proto.remote()));
  if (!proto.local().empty()) {
    EOIP_ASSIGN_OR_RETURN(config.local, IpAddress::FromBytes(proto.local()));
  }
  std::array<uint8_t, 6> mac{};
  if (proto.mac().size() != mac.size()) {
    return absl::InvalidArgumentError("mac is not of 6 bytes");
  }
  std::copy(proto.mac().begin(), proto.mac().end(), mac.begin());
  config.mac = MacAddress(mac);
  config.tunnel_id = proto.tunnel_id();
  config.mtu = proto.mtu();
  config.ttl = proto.ttl();
  if (proto.has_dscp()) config.dscp = proto.dscp();
  config.inherit_df = proto.inherit_df();
  config.keepalive_interval_s = proto.keepalive_interval_s();
  config.keepalive_retries = proto.keepalive_retries();
  config.clamp_tcp_mss = proto.clamp_tcp_mss();
  config.fwmark = proto.fwmark();
  config.underlay_ifindex = proto.underlay_ifindex();
  config.gso = !proto.no_offload();
  config.disabled = proto.disabled();
  return config;
}

}  // namespace

tapd::v1::TunnelConfig ToTapd(const TunnelConfig& config) {
  tapd::v1::TunnelConfig proto;
  proto.set_name(config.name);
  proto.set_ipv6(IsV6(config.kind));
  proto.set_tunnel_id(config.tunnel_id);
  if (config.local) proto.set_local(std::string(config.local->bytes()));
  proto.set_remote(std::string(config.remote.bytes()));
  proto.set_mac(config.mac.bytes().data(), config.mac.bytes().size());
  proto.set_ttl(config.ttl);
  if (config.dscp) proto.set_dscp(*config.dscp);
  proto.set_inherit_df(config.inherit_df);
  proto.set_keepalive_interval_s(config.keepalive_interval_s);
  proto.set_keepalive_retries(config.keepalive_retries);
  proto.set_clamp_tcp_mss(config.clamp_tcp_mss);
  proto.set_mtu(config.mtu);
  proto.set_fwmark(config.fwmark);
  proto.set_underlay_ifindex(config.underlay_ifindex);
  proto.set_no_offload(!config.gso);
  proto.set_disabled(config.disabled);
  return proto;
}

absl::StatusOr<ObservedTunnel> FromTapd(const tapd::v1::TapTunnel& tunnel,
                                        const Link* link) {
  ObservedTunnel observed;
  absl::StatusOr<TunnelConfig> config = ConfigFromTapd(tunnel.config());
  if (!config.ok()) {
    return absl::InternalError(absl::StrCat("eoip-tapd reports tunnel ",
                                            tunnel.config().name(), ": ",
                                            config.status().message()));
  }
  observed.config = *std::move(config);
  observed.datapath = DatapathType::kTap;
  observed.ifindex = tunnel.ifindex();
  observed.link_gone = tunnel.link_gone() || link == nullptr ||
                       link->ifindex != tunnel.ifindex();
  if (!observed.link_gone) {
    // Others may have changed the link behind eoip-tapd's back.
    observed.config.mtu = link->mtu;
    observed.config.mac = link->mac;
  }
  observed.peer_up = tunnel.peer_up();
  observed.last_heard = LastHeard(tunnel);
  observed.send_error = tunnel.send_error();
  return observed;
}

TunnelReading ReadingFromTapd(const tapd::v1::TapTunnel& tunnel) {
  const tapd::v1::Counters& from = tunnel.counters();
  TunnelReading reading;
  reading.counters.rx_packets = from.rx_packets();
  reading.counters.rx_bytes = from.rx_bytes();
  reading.counters.tx_packets = from.tx_packets();
  reading.counters.tx_bytes = from.tx_bytes();
  reading.counters.rx_keepalives = from.rx_keepalives();
  reading.counters.tx_keepalives = from.tx_keepalives();
  reading.counters.drops.insert(from.drops().begin(), from.drops().end());
  for (const auto& [name, count] :
       {std::pair{"tx_super_frames", from.tx_super_frames()},
        std::pair{"rx_super_frames", from.rx_super_frames()},
        std::pair{"rx_mss_clamped", from.rx_clamped()},
        std::pair{"tx_fast_packets", from.tx_fast_packets()}}) {
    if (count > 0) reading.counters.details[name] = count;
  }
  reading.last_heard = LastHeard(tunnel);
  reading.peer_up = tunnel.peer_up();
  return reading;
}

WorkersReading WorkersFromTapd(const tapd::v1::Info& info) {
  WorkersReading reading;
  reading.since =
      absl::FromUnixMillis(static_cast<int64_t>(info.start_time_ms()));
  for (const tapd::v1::WorkerInfo& from : info.worker_info()) {
    WorkerCounters& to = reading.workers.emplace_back();
    to.rx = {from.rx_packets(),
             from.rx_bytes(),
             from.rx_batches(),
             {from.rx_batch_sizes().begin(), from.rx_batch_sizes().end()}};
    to.tx = {from.tx_packets(),
             from.tx_bytes(),
             from.tx_batches(),
             {from.tx_batch_sizes().begin(), from.tx_batch_sizes().end()}};
    to.waits = from.waits();
    to.idle_polls = from.idle_polls();
    to.drops.insert(from.drops().begin(), from.drops().end());
  }
  return reading;
}

}  // namespace eoip
