// SPDX-License-Identifier: Apache-2.0
#include "dhcp/message.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace eoip {
namespace {

constexpr size_t kEthernet = 14;
constexpr size_t kIpHeader = 20;
constexpr size_t kUdpHeader = 8;
constexpr size_t kFixed = 240;       // BOOTP's fields and the magic cookie
constexpr size_t kMinMessage = 300;  // what old relays want (RFC 1542)
constexpr uint32_t kCookie = 0x63825363;
constexpr uint16_t kServerPort = 67, kClientPort = 68;
constexpr uint16_t kMaxMessage = 1400;  // less than any tunnel's MTU
constexpr size_t kMaxText = 128;

enum Option : uint8_t {
  kPad = 0,
  kMask = 1,
  kRouter = 3,
  kDns = 6,
  kHostname = 12,
  kDomain = 15,
  kMtu = 26,
  kRequestedAddress = 50,
  kLeaseTime = 51,
  kOverload = 52,
  kType = 53,
  kServerId = 54,
  kWanted = 55,
  kText = 56,
  kMaxSize = 57,
  kRenewalTime = 58,
  kRebindingTime = 59,
  kClientId = 61,
  kRoutes = 121,
  kEnd = 255,
};
using Options = std::map<uint8_t, std::string>;

uint8_t Byte(absl::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}
uint16_t Read16(absl::string_view bytes, size_t at) {
  return static_cast<uint16_t>(Byte(bytes, at) << 8 | Byte(bytes, at + 1));
}
uint32_t Read32(absl::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Read16(bytes, at)) << 16 | Read16(bytes, at + 2);
}
void Append16(std::string& out, uint32_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}
void Append32(std::string& out, uint32_t value) {
  Append16(out, value >> 16);
  Append16(out, value & 0xffff);
}
void Put16(std::string& out, size_t at, uint32_t value) {
  out[at] = static_cast<char>(value >> 8);
  out[at + 1] = static_cast<char>(value);
}
absl::string_view BytesOf(const MacAddress& mac) {
  return {reinterpret_cast<const char*>(mac.bytes().data()), 6};
}
IpAddress ReadAddress(absl::string_view bytes, size_t at) {
  return *IpAddress::FromBytes(bytes.substr(at, 4));
}

// One's complement sum (RFC 1071), not yet inverted.
uint32_t Sum(absl::string_view bytes, uint32_t sum = 0) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += Read16(bytes, i);
  if (bytes.size() % 2) sum += Byte(bytes, bytes.size() - 1) << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// Of the UDP packet of an IP packet whose header is 20 bytes or more.
uint32_t UdpSum(absl::string_view ip, absl::string_view udp) {
  std::string pseudo(ip.substr(12, 8));
  Append16(pseudo, 17);
  Append16(pseudo, static_cast<uint32_t>(udp.size()));
  return Sum(udp, Sum(pseudo));
}

void AppendOption(std::string& out, Option option, absl::string_view bytes) {
  out += static_cast<char>(option);
  out += static_cast<char>(bytes.size());
  out.append(bytes.data(), bytes.size());
}

void AppendAddress(std::string& out, Option option, const IpAddress& address) {
  if (!address.IsUnspecified()) AppendOption(out, option, address.bytes());
}

std::string MakeMessage(const DhcpQuery& query) {
  std::string out;
  out += '\1';  // a request
  out += '\1';  // Ethernet
  out += '\6';
  out += '\0';  // hops
  Append32(out, query.xid);
  Append16(out, query.secs);
  Append16(out, query.to_mac.IsZero() ? 0x8000 : 0);  // answer to everybody
  out.append(query.ciaddr.bytes().data(), 4);
  out.append(12, '\0');  // yiaddr, siaddr, giaddr
  out.append(BytesOf(query.mac).data(), 6);
  out.append(10 + 64 + 128, '\0');  // rest of chaddr, sname, file
  Append32(out, kCookie);
  const char type = static_cast<char>(query.type);
  AppendOption(out, kType, {&type, 1});
  AppendOption(out, kClientId, query.spec.client_id);
  AppendAddress(out, kRequestedAddress, query.requested);
  AppendAddress(out, kServerId, query.server);
  if (query.type != DhcpType::kRelease) {
    if (!query.spec.hostname.empty()) {
      AppendOption(out, kHostname, query.spec.hostname);
    }
    std::string size;
    Append16(size, kMaxMessage);
    AppendOption(out, kMaxSize, size);
    // 121 before 3 (RFC 3442).
    constexpr char kList[] = {kMask,   kRoutes, kRouter,      kDns,
                              kDomain, kMtu,    kRenewalTime, kRebindingTime};
    AppendOption(out, kWanted, {kList, sizeof(kList)});
  }
  out += static_cast<char>(kEnd);
  if (out.size() < kMinMessage) out.resize(kMinMessage);
  return out;
}

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// Adds the options in the field to those that were found before; an option
// that comes more than once is one long one (RFC 3396).
absl::Status ReadOptions(absl::string_view field, Options& options) {
  size_t at = 0;
  while (at < field.size()) {
    const uint8_t code = Byte(field, at++);
    if (code == kPad) continue;
    if (code == kEnd) return absl::OkStatus();
    if (at >= field.size()) return Damaged("an option without a length");
    const size_t size = Byte(field, at++);
    if (size > field.size() - at) return Damaged("an option is cut");
    options[code].append(field.data() + at, size);
    at += size;
  }
  return absl::OkStatus();
}

// The message of a frame that is UDP from port 67 to 68 over IPv4.
absl::StatusOr<absl::string_view> FindMessage(absl::string_view frame,
                                              bool trust_checksum) {
  if (frame.size() < kEthernet + kIpHeader + kUdpHeader + kFixed ||
      Read16(frame, 12) != 0x0800) {
    return Damaged("no DHCP message");
  }
  absl::string_view ip = frame.substr(kEthernet);
  const size_t header = (Byte(ip, 0) & 15) * 4u;
  const size_t total = Read16(ip, 2);
  if (Byte(ip, 0) >> 4 != 4 || header < kIpHeader || Byte(ip, 9) != 17 ||
      (Read16(ip, 6) & 0x3fff) != 0 || total > ip.size() ||
      total < header + kUdpHeader + kFixed) {
    return Damaged("no whole UDP packet");
  }
  ip = ip.substr(0, total);  // Ethernet pads short frames
  if (Sum(ip.substr(0, header)) != 0xffff) return Damaged("IP checksum");
  absl::string_view udp = ip.substr(header);
  const size_t size = Read16(udp, 4);
  if (Read16(udp, 0) != kServerPort || Read16(udp, 2) != kClientPort ||
      size < kUdpHeader + kFixed || size > udp.size()) {
    return Damaged("not from a DHCP server");
  }
  udp = udp.substr(0, size);
  if (!trust_checksum && Read16(udp, 6) != 0 && UdpSum(ip, udp) != 0xffff) {
    return Damaged("UDP checksum");
  }
  return udp.substr(kUdpHeader);
}

// Absent or of another size than wanted: nothing.
absl::string_view Fixed(const Options& options, Option code, size_t size) {
  auto it = options.find(code);
  return it != options.end() && it->second.size() == size ? it->second
                                                          : absl::string_view();
}

std::optional<absl::Duration> ReadTime(const Options& options, Option code) {
  const absl::string_view bytes = Fixed(options, code, 4);
  if (bytes.empty()) return std::nullopt;
  const uint32_t seconds = Read32(bytes, 0);
  return seconds == 0xffffffff ? absl::InfiniteDuration()
                               : absl::Seconds(seconds);
}

std::vector<IpAddress> ReadAddresses(const Options& options, Option code) {
  std::vector<IpAddress> addresses;
  auto it = options.find(code);
  if (it == options.end()) return addresses;
  for (size_t at = 0; at + 4 <= it->second.size(); at += 4) {
    const IpAddress address = ReadAddress(it->second, at);
    if (address.IsUsableUnicast()) addresses.push_back(address);
  }
  return addresses;
}

// 1..32; 0: no usable mask.
uint32_t ReadMask(const Options& options, const IpAddress& address) {
  const absl::string_view bytes = Fixed(options, kMask, 4);
  if (bytes.empty()) {  // the address's class (RFC 950)
    const uint8_t first = Byte(address.bytes(), 0);
    return first < 128 ? 8 : first < 192 ? 16 : 24;
  }
  const uint32_t mask = Read32(bytes, 0);
  uint32_t length = 0;
  while (length < 32 && (mask << length & 0x80000000u)) ++length;
  return length == 32 || mask << length == 0 ? length : 0;
}

// Nothing where the option is damaged: a part of it may be the wrong part.
std::vector<LeaseRoute> ReadRoutes(const Options& options) {
  std::vector<LeaseRoute> routes;
  auto it = options.find(kRoutes);
  if (it == options.end()) return routes;
  absl::string_view rest = it->second;
  while (!rest.empty()) {
    LeaseRoute route;
    route.prefix_length = Byte(rest, 0);
    const size_t significant = (route.prefix_length + 7) / 8;
    if (route.prefix_length > 32 || rest.size() < 1 + significant + 4) {
      return {};
    }
    std::array<char, 4> bytes{};
    std::copy_n(rest.data() + 1, significant, bytes.data());
    for (uint32_t bit = route.prefix_length; bit < 32; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] & ~(0x80 >> bit % 8));
    }
    route.destination = *IpAddress::FromBytes({bytes.data(), 4});
    route.gateway = ReadAddress(rest, 1 + significant);
    if (!route.gateway.IsUnspecified() && !route.gateway.IsUsableUnicast()) {
      return {};
    }
    routes.push_back(route);
    rest.remove_prefix(1 + significant + 4);
  }
  return routes;
}

std::string ReadDomain(const Options& options) {
  auto it = options.find(kDomain);
  if (it == options.end()) return "";
  absl::string_view text = it->second;
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  const bool good =
      !text.empty() && text.size() <= 253 &&
      std::all_of(text.begin(), text.end(), [](char c) {
        return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
      });
  return good ? std::string(text) : "";
}

std::string ReadText(const Options& options) {
  auto it = options.find(kText);
  if (it == options.end()) return "";
  std::string text = it->second.substr(0, kMaxText);
  for (char& c : text) {
    if (!absl::ascii_isprint(c)) c = '?';
  }
  return text;
}

absl::Status ReadLease(const Options& options, Lease& lease) {
  if (!lease.address.IsUsableUnicast()) {
    return Damaged("an address that no host can have");
  }
  lease.prefix_length = ReadMask(options, lease.address);
  if (lease.prefix_length == 0) return Damaged("a mask that is none");
  const std::vector<IpAddress> routers = ReadAddresses(options, kRouter);
  lease.routes = ReadRoutes(options);
  if (!routers.empty()) {
    lease.gateway = routers[0];
    if (lease.routes.empty()) lease.routes.push_back({{}, 0, lease.gateway});
  }
  lease.nameservers = ReadAddresses(options, kDns);
  lease.domain = ReadDomain(options);
  if (const auto mtu = Fixed(options, kMtu, 2); !mtu.empty()) {
    lease.mtu = Read16(mtu, 0) >= 68 ? Read16(mtu, 0) : 0;
  }
  return absl::OkStatus();
}

}  // namespace

std::string MakeFrame(const DhcpQuery& query) {
  const std::string message = MakeMessage(query);
  const bool everybody = query.to_mac.IsZero();
  std::string frame(everybody ? std::string(6, '\xff')
                              : std::string(BytesOf(query.to_mac)));
  frame.append(BytesOf(query.mac).data(), 6);
  Append16(frame, 0x0800);

  std::string udp;
  Append16(udp, kClientPort);
  Append16(udp, kServerPort);
  Append16(udp, static_cast<uint32_t>(kUdpHeader + message.size()));
  Append16(udp, 0);
  udp += message;

  std::string ip("\x45\x10\0\0\0\0\0\0\x40\x11\0\0", 12);
  Put16(ip, 2, static_cast<uint32_t>(kIpHeader + udp.size()));
  ip.append(query.ciaddr.bytes().data(), 4);
  ip += everybody ? std::string(4, '\xff') : std::string(query.to.bytes());
  Put16(ip, 10, ~Sum(ip) & 0xffff);
  const uint32_t sum = ~UdpSum(ip, udp) & 0xffff;
  Put16(udp, 6, sum == 0 ? 0xffff : sum);
  return frame + ip + udp;
}

absl::StatusOr<DhcpReply> ParseFrame(absl::string_view frame,
                                     const MacAddress& mac,
                                     bool trust_checksum) {
  const auto found = FindMessage(frame, trust_checksum);
  if (!found.ok()) return found.status();
  const absl::string_view message = *found;
  if (Byte(message, 0) != 2 || Byte(message, 1) != 1 || Byte(message, 2) != 6 ||
      Read32(message, 236) != kCookie) {
    return Damaged("no DHCP answer");
  }
  if (message.substr(28, 6) != BytesOf(mac)) {
    return Damaged("for somebody else");
  }
  Options options;
  absl::Status status = ReadOptions(message.substr(kFixed), options);
  const absl::string_view overload = Fixed(options, kOverload, 1);
  const uint8_t more = overload.empty() ? 0 : Byte(overload, 0);
  if (status.ok() && (more & 1)) {
    status = ReadOptions(message.substr(108, 128), options);
  }
  if (status.ok() && (more & 2)) {
    status = ReadOptions(message.substr(44, 64), options);
  }
  if (!status.ok()) return status;

  const absl::string_view type = Fixed(options, kType, 1);
  const absl::string_view server = Fixed(options, kServerId, 4);
  if (type.empty()) return Damaged("no message type");
  if (server.empty()) return Damaged("no server identifier");
  DhcpReply reply;
  reply.type = static_cast<DhcpType>(Byte(type, 0));
  reply.xid = Read32(message, 4);
  reply.text = ReadText(options);
  reply.lease.server = ReadAddress(server, 0);
  std::array<uint8_t, 6> source;
  std::copy_n(reinterpret_cast<const uint8_t*>(frame.data()) + 6, 6,
              source.data());
  reply.lease.server_mac = MacAddress(source);
  if (reply.type == DhcpType::kNak) return reply;
  if (reply.type != DhcpType::kOffer && reply.type != DhcpType::kAck) {
    return Damaged("a message type that no server sends to a client");
  }
  reply.lease.address = ReadAddress(message, 16);
  status = ReadLease(options, reply.lease);
  if (!status.ok()) return status;
  reply.lease_time = ReadTime(options, kLeaseTime);
  reply.renewal_time = ReadTime(options, kRenewalTime);
  reply.rebinding_time = ReadTime(options, kRebindingTime);
  return reply;
}

}  // namespace eoip
