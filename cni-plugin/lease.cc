// SPDX-License-Identifier: Apache-2.0
#include "lease.h"

#include <linux/rtnetlink.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ip_prefix.h"

namespace eoip::cni {
namespace {

void AddOnLink(absl::string_view destination, Result& result) {
  Route& route = result.routes.emplace_back();
  route.dst = std::string(destination);
  route.scope = RT_SCOPE_LINK;
}

}  // namespace

absl::StatusOr<Result> LeaseResult(const v1::Lease& lease) {
  if (lease.address().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the agent has no lease: ", lease.reason()));
  }
  Result result;
  Ip& ip = result.ips.emplace_back();
  ip.address = lease.address();
  ip.gateway = lease.gateway();
  EOIP_ASSIGN_OR_RETURN(const IpPrefix own, ParsePrefix(lease.address()));
  std::string reached;  // a gateway that has its own route already
  for (const v1::LeaseRoute& given : lease.routes()) {
    if (given.gateway().empty()) {
      AddOnLink(given.destination(), result);
      continue;
    }
    EOIP_ASSIGN_OR_RETURN(IpPrefix gateway, ParsePrefix(given.gateway()));
    const IpAddress address = gateway.address;
    gateway.length = own.length;
    if (NetworkOf(gateway) != NetworkOf(own) && reached != given.gateway()) {
      AddOnLink(absl::StrCat(address.ToString(), "/32"), result);
      reached = given.gateway();
    }
    Route& route = result.routes.emplace_back();
    route.dst = given.destination();
    route.gw = given.gateway();
  }
  for (const std::string& nameserver : lease.nameservers()) {
    result.dns.nameservers.push_back(nameserver);
  }
  result.dns.domain = lease.domain();
  return result;
}

}  // namespace eoip::cni
