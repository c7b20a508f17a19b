// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plan/plan.h"

namespace eoip {
namespace {

std::string DescribeAction(const DeleteTunnels& a) {
  return absl::StrCat("delete ", ToString(a.datapath), " ",
                      absl::StrJoin(a.names, ","));
}
std::string DescribeAction(const DeleteLinks& a) {
  return absl::StrCat("delete links ", absl::StrJoin(a.names, ","));
}
std::string DescribeAction(const PutTunnel& a) {
  return absl::StrCat(a.create ? "create " : "change ", ToString(a.datapath),
                      " ", a.config.name);
}
std::string DescribeAction(const PutBridge& a) {
  return absl::StrCat(a.create ? "create" : "change", " bridge ", a.name);
}
std::string DescribeAction(const SetLink& a) {
  std::string out = absl::StrCat("set ", a.link);
  if (a.mtu) absl::StrAppend(&out, " mtu ", *a.mtu);
  if (a.mac) absl::StrAppend(&out, " address ", a.mac->ToString());
  if (a.group) absl::StrAppend(&out, " group ", *a.group);
  if (a.master && a.master->empty()) absl::StrAppend(&out, " nomaster");
  if (a.master && !a.master->empty()) {
    absl::StrAppend(&out, " master ", *a.master);
  }
  if (a.up) absl::StrAppend(&out, *a.up ? " up" : " down");
  return out;
}
std::string DescribeAction(const SetBridgePort& a) {
  return absl::StrCat(
      "set port ", a.link, a.info.isolated ? " isolated" : " not isolated",
      a.info.hairpin ? " hairpin" : "", a.info.locked ? " locked" : "");
}
std::string DescribeAction(const SetVlans& a) {
  std::string out = absl::StrCat("set vlans of ", a.link);
  if (!a.change.add.empty()) {
    absl::StrAppend(&out, " add ", ToString(a.change.add));
  }
  if (!a.change.remove.empty()) {
    out += " remove";
    for (const PortVlanRange& range : a.change.remove) {
      absl::StrAppend(&out, " ", range.first);
      if (range.last != range.first) absl::StrAppend(&out, "-", range.last);
    }
  }
  return out;
}
std::string DescribeAction(const SetPinned& a) {
  std::string out = absl::StrCat("set fdb of ", a.link);
  const auto list = [&](const char* verb, const PinnedMacs& pins) {
    for (const auto& [mac, vlan] : pins) {
      absl::StrAppend(&out, " ", verb, " ", mac.ToString());
      if (vlan != 0) absl::StrAppend(&out, " vlan ", vlan);
    }
  };
  list("add", a.add);
  list("remove", a.remove);
  return out;
}
std::string DescribeAction(const ForgetAttachment&) { return "forget"; }
std::string DescribeAction(const ForgetNetwork&) { return "forget"; }
std::string DescribeAction(const Blocked& a) {
  return absl::StrCat("blocked: ", a.reason);
}

}  // namespace

std::string ToString(const Step& step) {
  const std::string action =
      std::visit([](const auto& a) { return DescribeAction(a); }, step.action);
  return step.resource.empty() ? action
                               : absl::StrCat(step.resource, " ", action);
}

}  // namespace eoip
