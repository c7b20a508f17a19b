// SPDX-License-Identifier: Apache-2.0
#include "netlink/links.h"

#include <utility>

#include "base/status.h"

namespace eoip {
namespace {

constexpr size_t kMaxSingleLinks = 16;

}  // namespace

absl::StatusOr<LinkTable> GetLinks(Links& links,
                                   const std::vector<std::string>& names) {
  LinkTable table;
  if (names.size() > kMaxSingleLinks) {
    EOIP_ASSIGN_OR_RETURN(const LinkTable all, links.Dump());
    for (const std::string& name : names) {
      const auto link = all.find(name);
      if (link != all.end()) table.insert(*link);
    }
    return table;
  }
  for (const std::string& name : names) {
    absl::StatusOr<Link> link = links.Get(name);
    if (absl::IsNotFound(link.status())) continue;
    EOIP_RETURN_IF_ERROR(link.status());
    table[name] = *std::move(link);
  }
  return table;
}

}  // namespace eoip
