// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "plan/plan.h"

namespace eoip {
namespace {

DatapathView ViewOf(const Observed& observed, DatapathType type) {
  auto it = observed.datapaths.find(type);
  if (it != observed.datapaths.end()) return it->second;
  return DatapathView{.available = false, .reason = "not built"};
}

}  // namespace

DatapathChoice ChooseDatapath(const TunnelSpec& spec,
                              const Observed& observed) {
  const DatapathView kernel = ViewOf(observed, DatapathType::kKernel);
  const DatapathView tap = ViewOf(observed, DatapathType::kTap);
  if (spec.datapath != DatapathType::kAuto) {
    const DatapathView view = ViewOf(observed, spec.datapath);
    if (!view.available) {
      return {std::nullopt,
              absl::StrCat("datapath ", ToString(spec.datapath),
                           " is asked for but not available: ", view.reason)};
    }
    return {spec.datapath, absl::StrCat("asked for; ", view.reason)};
  }
  auto have = observed.tunnels.find(spec.id);
  if (have != observed.tunnels.end() && !have->second.link_gone &&
      ViewOf(observed, have->second.datapath).available) {
    const DatapathType type = have->second.datapath;
    if (type == DatapathType::kTap && kernel.available) {
      return {type,
              "AUTO: it runs there; the kernel module is available since, set "
              "datapath KERNEL to move it"};
    }
    if (type == DatapathType::kTap) {
      return {type, absl::StrCat("AUTO: no kernel module: ", kernel.reason)};
    }
    return {type, absl::StrCat("AUTO: ", kernel.reason)};
  }
  if (kernel.available) {
    return {DatapathType::kKernel, absl::StrCat("AUTO: ", kernel.reason)};
  }
  if (tap.available) {
    return {DatapathType::kTap,
            absl::StrCat("AUTO: no kernel module: ", kernel.reason)};
  }
  return {std::nullopt, absl::StrCat("no datapath is available: KERNEL: ",
                                     kernel.reason, "; TAP: ", tap.reason)};
}

}  // namespace eoip
