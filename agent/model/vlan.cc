// SPDX-License-Identifier: Apache-2.0
#include "model/vlan.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/names.h"

namespace eoip {
namespace {

constexpr size_t kMaxVlanRanges = kMaxVlan;

// What a port does with each VLAN, by id.
constexpr uint8_t kMember = 1, kPvid = 2, kUntagged = 4;
using Table = std::array<uint8_t, kMaxVlan + 1>;

Table TableOf(const PortVlans& vlans) {
  Table table{};
  for (const PortVlanRange& range : vlans) {
    for (uint32_t id = range.first; id <= range.last && id <= kMaxVlan; ++id) {
      table[id] = static_cast<uint8_t>(kMember | (range.pvid ? kPvid : 0) |
                                       (range.untagged ? kUntagged : 0));
    }
  }
  return table;
}

PortVlans RangesOf(const Table& table) {
  PortVlans vlans;
  uint8_t previous = 0;
  for (uint16_t id = 1; id <= kMaxVlan; ++id) {
    const uint8_t flags = table[id];
    if (flags != 0 && flags == previous && (flags & kPvid) == 0) {
      vlans.back().last = id;
    } else if (flags != 0) {
      vlans.push_back({id, id, (flags & kPvid) != 0, (flags & kUntagged) != 0});
    }
    previous = flags;
  }
  return vlans;
}

}  // namespace

absl::Status ValidateVlanRanges(absl::string_view field,
                                const std::vector<VlanRange>& ranges) {
  if (ranges.size() > kMaxVlanRanges) {
    return FieldError(field, absl::StrCat(ranges.size(), " ranges"),
                      "at most 4094 ranges");
  }
  uint32_t previous = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const VlanRange& range = ranges[i];
    const std::string path = absl::StrCat(field, "[", i, "]");
    if (range.first < 1 || range.first > kMaxVlan) {
      return FieldError(absl::StrCat(path, ".first"), absl::StrCat(range.first),
                        "1..4094");
    }
    if (range.last < range.first || range.last > kMaxVlan) {
      return FieldError(absl::StrCat(path, ".last"), absl::StrCat(range.last),
                        "first..4094");
    }
    if (range.first <= previous) {
      return FieldError(absl::StrCat(path, ".first"), absl::StrCat(range.first),
                        absl::StrCat("above ", previous,
                                     ": ranges ascend and do not overlap"));
    }
    previous = range.last;
  }
  return absl::OkStatus();
}

bool Contains(const std::vector<VlanRange>& ranges, uint32_t vlan) {
  for (const VlanRange& range : ranges) {
    if (range.first <= vlan && vlan <= range.last) return true;
  }
  return false;
}

PortVlans MakePortVlans(uint32_t untagged,
                        const std::vector<VlanRange>& tagged) {
  Table table{};
  for (const VlanRange& range : tagged) {
    for (uint32_t id = range.first; id <= range.last && id <= kMaxVlan; ++id) {
      table[id] = kMember;
    }
  }
  if (untagged != 0) table[untagged] = kMember | kPvid | kUntagged;
  return RangesOf(table);
}

VlanChange DiffVlans(const PortVlans& have, const PortVlans& want) {
  const Table old = TableOf(have);
  const Table now = TableOf(want);
  Table add{};
  Table remove{};
  for (size_t id = 0; id < now.size(); ++id) {
    if (now[id] != 0 && now[id] != old[id]) add[id] = now[id];
    // Removing looks at the id only.
    if (now[id] == 0 && old[id] != 0) remove[id] = kMember;
  }
  return {RangesOf(add), RangesOf(remove)};
}

std::string ToString(const PortVlans& vlans) {
  std::string text;
  for (const PortVlanRange& range : vlans) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", range.first);
    if (range.last != range.first) absl::StrAppend(&text, "-", range.last);
    absl::StrAppend(&text, range.untagged ? " untagged" : " tagged",
                    range.pvid == range.untagged ? ""
                    : range.pvid                 ? " (pvid)"
                                                 : " (not pvid)");
  }
  return text.empty() ? "none" : text;
}

std::vector<uint16_t> IdsOf(const PortVlans& vlans) {
  std::vector<uint16_t> ids;
  for (const PortVlanRange& range : vlans) {
    for (uint32_t id = range.first; id <= range.last; ++id) {
      ids.push_back(static_cast<uint16_t>(id));
    }
  }
  return ids;
}

}  // namespace eoip
