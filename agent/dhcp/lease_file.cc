// SPDX-License-Identifier: Apache-2.0
#include "dhcp/lease_file.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace eoip {
namespace {

void Print(std::string& out, absl::string_view word, absl::string_view value) {
  absl::StrAppend(&out, word, " ", value, "\n");
}

std::string PrintTime(absl::Time time) {
  return time == absl::InfiniteFuture()
             ? "never"
             : absl::StrCat(absl::ToUnixMillis(time));
}

void PrintLease(std::string& out, absl::string_view kind, const Lease& lease) {
  Print(out, kind,
        absl::StrCat(lease.address.ToString(), "/", lease.prefix_length));
  Print(out, "server", lease.server.ToString());
  Print(out, "server-mac", lease.server_mac.ToString());
  Print(out, "gateway", lease.gateway.ToString());
  for (const LeaseRoute& route : lease.routes) {
    Print(out, "route",
          absl::StrCat(route.destination.ToString(), "/", route.prefix_length,
                       " ", route.gateway.ToString()));
  }
  for (const IpAddress& address : lease.nameservers) {
    Print(out, "nameserver", address.ToString());
  }
  if (!lease.domain.empty()) Print(out, "domain", lease.domain);
  Print(out, "mtu", absl::StrCat(lease.mtu));
  Print(out, "acquired", PrintTime(lease.acquired_at));
  Print(out, "renew", PrintTime(lease.renew_at));
  Print(out, "rebind", PrintTime(lease.rebind_at));
  Print(out, "expires", PrintTime(lease.expires_at));
}

absl::Status Bad(absl::string_view line) {
  return absl::DataLossError(
      absl::StrCat("line '", absl::CHexEscape(line), "' makes no sense"));
}

bool Read(absl::string_view text, IpAddress& address) {
  const auto parsed = IpAddress::Parse(text);
  if (parsed.ok()) address = *parsed;
  return parsed.ok() && !address.is_v6();
}

bool Read(absl::string_view text, MacAddress& mac) {
  const auto parsed = MacAddress::Parse(text);
  if (parsed.ok()) mac = *parsed;
  return parsed.ok();
}

bool Read(absl::string_view text, absl::Time& time) {
  int64_t ms;
  if (text == "never") {
    time = absl::InfiniteFuture();
    return true;
  }
  if (!absl::SimpleAtoi(text, &ms)) return false;
  time = absl::FromUnixMillis(ms);
  return true;
}

bool ReadPrefix(absl::string_view text, IpAddress& address, uint32_t& length) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('/', 1));
  return Read(parts.first, address) &&
         absl::SimpleAtoi(parts.second, &length) && length <= 32;
}

bool ReadRoute(absl::string_view text, Lease& lease) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  LeaseRoute route;
  if (!ReadPrefix(parts.first, route.destination, route.prefix_length) ||
      !Read(parts.second, route.gateway)) {
    return false;
  }
  lease.routes.push_back(route);
  return true;
}

bool ReadLeaseLine(absl::string_view word, absl::string_view value,
                   Lease& lease) {
  if (word == "server") return Read(value, lease.server);
  if (word == "server-mac") return Read(value, lease.server_mac);
  if (word == "gateway") return Read(value, lease.gateway);
  if (word == "route") return ReadRoute(value, lease);
  if (word == "nameserver") {
    lease.nameservers.emplace_back();
    return Read(value, lease.nameservers.back());
  }
  if (word == "domain") {
    lease.domain = std::string(value);
    return true;
  }
  if (word == "mtu") return absl::SimpleAtoi(value, &lease.mtu);
  if (word == "acquired") return Read(value, lease.acquired_at);
  if (word == "renew") return Read(value, lease.renew_at);
  if (word == "rebind") return Read(value, lease.rebind_at);
  return word == "expires" && Read(value, lease.expires_at);
}

bool ReadLine(absl::string_view word, absl::string_view value,
              LeaseRecord& record, Lease** lease) {
  if (word == "lease" || word == "in-pod") {
    std::optional<Lease>& target =
        word == "lease" ? record.lease : record.in_pod;
    *lease = &target.emplace();
    return ReadPrefix(value, target->address, target->prefix_length) &&
           target->prefix_length > 0;
  }
  if (*lease != nullptr) return ReadLeaseLine(word, value, **lease);
  if (word == "attachment") {
    const auto key = ParseAttachmentName("attachment", value);
    if (key.ok()) record.key = *key;
    return key.ok();
  }
  if (word == "mac") return Read(value, record.mac);
  if (word == "client-id") {
    record.spec.client_id = absl::HexStringToBytes(value);
    return absl::BytesToHexString(record.spec.client_id) == value;
  }
  if (word == "hostname") {
    record.spec.hostname = std::string(value);
    return true;
  }
  if (word == "released") {
    record.released = value == "yes";
    return true;
  }
  return false;
}

}  // namespace

std::string PrintLeaseRecord(const LeaseRecord& record) {
  std::string out;
  Print(out, "attachment", AttachmentName(record.key));
  Print(out, "mac", record.mac.ToString());
  Print(out, "client-id", absl::BytesToHexString(record.spec.client_id));
  if (!record.spec.hostname.empty()) {
    Print(out, "hostname", record.spec.hostname);
  }
  if (record.released) Print(out, "released", "yes");
  if (record.lease) PrintLease(out, "lease", *record.lease);
  if (record.in_pod) PrintLease(out, "in-pod", *record.in_pod);
  return out;
}

absl::StatusOr<LeaseRecord> ParseLeaseRecord(absl::string_view text) {
  LeaseRecord record;
  Lease* lease = nullptr;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (!ReadLine(parts.first, parts.second, record, &lease)) return Bad(line);
  }
  if (record.key.attachment.empty() || record.spec.client_id.size() < 2 ||
      !record.mac.IsUnicast()) {
    return absl::DataLossError("attachment, mac or client-id is missing");
  }
  return record;
}

}  // namespace eoip
