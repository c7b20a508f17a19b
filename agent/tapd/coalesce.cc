// SPDX-License-Identifier: Apache-2.0
#include "tapd/coalesce.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "tapd/bytes.h"
#include "tapd/checksum.h"
#include "tapd/inner_frame.h"

namespace eoip::tapd {
namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;
constexpr uint8_t kPsh = 0x08, kAck = 0x10;
constexpr size_t kMaxIpBytes = 65535;

bool Equal(const uint8_t* a, const uint8_t* b, size_t size) {
  return std::memcmp(a, b, size) == 0;
}

// The IP part: true if the frame is a whole, plain packet of the protocol.
bool ParseIp(absl::Span<const uint8_t> frame, FlowFrame* out, uint8_t* protocol,
             size_t* ip_payload) {
  const std::optional<InnerIp> ip = FindInnerIp(frame);
  if (!ip.has_value()) return false;
  const uint8_t* h = &frame[ip->offset];
  const size_t room = frame.size() - ip->offset;
  const size_t header_size = ip->ipv6 ? 40 : 20;
  size_t total;
  if (ip->ipv6) {
    *protocol = h[6];
    total = 40u + LoadBe16(h + 4);
  } else {
    const bool fragment = (LoadBe16(h + 6) & 0x3fff) != 0;
    if (h[0] != 0x45 || fragment) return false;
    *protocol = h[9];
    total = LoadBe16(h + 2);
  }
  if (total < header_size || total > room) return false;
  out->ipv6 = ip->ipv6;
  // What is behind the packet (padding of short frames) would be lost, and a
  // checksum of 0xffff is right where splitting would write 0.
  out->joinable = total == room && (ip->ipv6 || LoadBe16(h + 10) != 0xffff);
  out->ip_at = static_cast<uint16_t>(ip->offset);
  out->l4_at = static_cast<uint16_t>(ip->offset + header_size);
  *ip_payload = total - header_size;
  return true;
}

}  // namespace

bool ParseFlowFrame(absl::Span<const uint8_t> frame, bool join_udp,
                    FlowFrame* out) {
  uint8_t protocol = 0;
  size_t ip_payload = 0;
  if (!ParseIp(frame, out, &protocol, &ip_payload)) return false;
  const uint8_t* l4 = frame.data() + out->l4_at;
  size_t l4_size;
  if (protocol == kTcp) {
    if (ip_payload < 20) return false;
    l4_size = (l4[12] >> 4) * 4u;
    if (l4_size < 20 || l4_size > ip_payload) return false;
    const uint8_t flags = l4[13] & static_cast<uint8_t>(~kPsh);
    // A checksum of 0xffff is right where splitting would write 0.
    out->joinable = out->joinable && flags == kAck && (l4[12] & 0xf) == 0 &&
                    LoadBe16(l4 + 16) != 0xffff;
  } else if (protocol == kUdp) {
    l4_size = 8;
    if (ip_payload < l4_size) return false;
    out->joinable = out->joinable && join_udp &&
                    LoadBe16(l4 + 4) == ip_payload && LoadBe16(l4 + 6) != 0;
  } else {
    return false;
  }
  out->tcp = protocol == kTcp;
  out->head_size = static_cast<uint16_t>(out->l4_at + l4_size);
  out->payload_size = static_cast<uint32_t>(ip_payload - l4_size);
  out->joinable = out->joinable && out->payload_size > 0;
  return true;
}

bool ChecksumIsRight(absl::Span<const uint8_t> frame, const FlowFrame& shape) {
  const size_t size = shape.head_size - shape.l4_at + shape.payload_size;
  const uint64_t sum =
      SumPseudoHeader(frame.data() + shape.ip_at, shape.ipv6,
                      shape.tcp ? kTcp : kUdp, static_cast<uint32_t>(size)) +
      SumBytes(frame.subspan(shape.l4_at, size));
  if (FoldSum(sum) != 0xffff) return false;
  // The super-frame's IPv4 header gets a new checksum, so a wrong one must not
  // get in.
  return shape.ipv6 ||
         FoldSum(SumBytes(frame.subspan(shape.ip_at, 20))) == 0xffff;
}

Coalescer::Coalescer()
    : flows_(std::make_unique<std::array<Flow, kMaxFlows>>()) {
  for (size_t i = 0; i < kMaxFlows; ++i) order_[i] = &(*flows_)[i];
}

bool Coalescer::SameFlow(const Flow& flow, void* key, const FlowFrame& shape,
                         const uint8_t* frame) {
  if (flow.key != key || flow.shape.tcp != shape.tcp ||
      flow.shape.ipv6 != shape.ipv6) {
    return false;
  }
  // Addresses and ports follow each other.
  const size_t at = shape.ipv6 ? 8 : 12;
  const size_t size = shape.ipv6 ? 36 : 12;
  return Equal(flow.frame + flow.shape.ip_at + at, frame + shape.ip_at + at,
               size);
}

bool Coalescer::Fits(const Flow& flow, const FlowFrame& shape,
                     const uint8_t* frame) {
  const FlowFrame& first = flow.shape;
  if (flow.closed || first.ip_at != shape.ip_at ||
      first.head_size != shape.head_size ||
      shape.payload_size > first.payload_size || flow.frames == kMaxFrames ||
      flow.ip_bytes + shape.payload_size > kMaxIpBytes ||
      // Ethernet header with its tags.
      !Equal(flow.frame, frame, shape.ip_at)) {
    return false;
  }
  const uint8_t* a = flow.frame + shape.ip_at;
  const uint8_t* b = frame + shape.ip_at;
  if (shape.ipv6) {
    // Version, class and label; hop limit.
    if (!Equal(a, b, 4) || a[7] != b[7]) return false;
  } else {
    // ToS; DF, TTL.
    if (a[1] != b[1] || !Equal(a + 6, b + 6, 3)) return false;
    const bool dont_fragment = (b[6] & 0x40) != 0;
    if (!dont_fragment && LoadBe16(b + 4) != flow.next_ip_id) return false;
  }
  if (!shape.tcp) return true;
  const uint8_t* t = flow.frame + shape.l4_at;
  const uint8_t* u = frame + shape.l4_at;
  // Sequence; acknowledgement and size; window; urgent pointer and options.
  // The flags are ACK, with or without PSH.
  return LoadBe32(u + 4) == flow.next_seq && Equal(t + 8, u + 8, 5) &&
         Equal(t + 14, u + 14, 2) &&
         Equal(t + 18, u + 18, shape.head_size - shape.l4_at - 18u);
}

void Coalescer::Start(Flow* flow, void* key, const FlowFrame& shape,
                      absl::Span<uint8_t> frame) {
  flow->key = key;
  flow->shape = shape;
  flow->frame = frame.data();
  flow->verified = false;
  flow->closed = !shape.joinable;
  flow->frames = 1;
  flow->bytes = frame.size();
  flow->ip_bytes = frame.size() - shape.ip_at;
  flow->vnet = VnetHeader();
  flow->pieces[0] = {&flow->vnet, sizeof(flow->vnet)};
  flow->pieces[1] = {frame.data(), frame.size()};
  const uint8_t* ip = frame.data() + shape.ip_at;
  const uint8_t* l4 = frame.data() + shape.l4_at;
  flow->next_ip_id =
      shape.ipv6 ? 0 : static_cast<uint16_t>(LoadBe16(ip + 4) + 1);
  flow->next_seq = shape.tcp ? LoadBe32(l4 + 4) + shape.payload_size : 0;
  if (shape.tcp && (l4[13] & kPsh) != 0) flow->closed = true;
}

void Coalescer::Join(Flow* flow, const FlowFrame& shape,
                     absl::Span<uint8_t> frame) {
  flow->pieces[flow->frames + 1] = {frame.data() + shape.head_size,
                                    shape.payload_size};
  ++flow->frames;
  flow->bytes += frame.size();
  flow->ip_bytes += shape.payload_size;
  flow->next_seq += shape.payload_size;
  ++flow->next_ip_id;
  const bool push = shape.tcp && (frame[shape.l4_at + 13] & kPsh) != 0;
  if (push) flow->frame[shape.l4_at + 13] |= kPsh;
  // Only the last segment of a super-frame may be shorter or have PSH.
  if (push || shape.payload_size < flow->shape.payload_size) {
    flow->closed = true;
  }
}

void Coalescer::FinishHead(Flow* flow) {
  const FlowFrame& shape = flow->shape;
  uint8_t* ip = flow->frame + shape.ip_at;
  uint8_t* l4 = flow->frame + shape.l4_at;
  const size_t l4_bytes = flow->ip_bytes - (shape.ipv6 ? 40 : 20);
  if (shape.ipv6) {
    StoreBe16(ip + 4, static_cast<uint32_t>(l4_bytes));
  } else {
    StoreBe16(ip + 2, static_cast<uint32_t>(flow->ip_bytes));
    StoreSum(ip + 10, 0);
    StoreSum(ip + 10, static_cast<uint16_t>(
                          ~FoldSum(SumBytes(absl::MakeConstSpan(ip, 20)))));
  }
  if (!shape.tcp) StoreBe16(l4 + 4, static_cast<uint32_t>(l4_bytes));
  flow->vnet.flags = VnetHeader::kNeedsChecksum;
  flow->vnet.gso_type = !shape.tcp   ? VnetHeader::kGsoUdp
                        : shape.ipv6 ? VnetHeader::kGsoTcp6
                                     : VnetHeader::kGsoTcp4;
  flow->vnet.header_size = shape.head_size;
  flow->vnet.gso_size = static_cast<uint16_t>(shape.payload_size);
  flow->vnet.checksum_start = shape.l4_at;
  flow->vnet.checksum_offset = shape.tcp ? 16 : 6;
  // Whoever splits it again completes the checksum from this.
  StoreSum(l4 + flow->vnet.checksum_offset,
           FoldSum(SumPseudoHeader(ip, shape.ipv6, shape.tcp ? kTcp : kUdp,
                                   static_cast<uint32_t>(l4_bytes))));
}

void Coalescer::Emit(Flow* flow, Sink sink) {
  if (flow->frames > 1) FinishHead(flow);
  sink(flow->key, absl::MakeSpan(flow->pieces.data(), flow->frames + 1),
       flow->frames, flow->bytes);
}

void Coalescer::EmitAt(size_t i, Sink sink) {
  Flow* flow = order_[i];
  std::rotate(order_.begin() + i, order_.begin() + i + 1,
              order_.begin() + count_);
  --count_;
  Emit(flow, sink);
}

void Coalescer::Add(void* key, absl::Span<uint8_t> frame, bool join_udp,
                    Sink sink) {
  FlowFrame shape;
  if (!ParseFlowFrame(frame, join_udp, &shape)) {
    // It may belong to any of the tunnel's flows: nothing overtakes it.
    for (size_t i = 0; i < count_;) {
      if (order_[i]->key == key) {
        EmitAt(i, sink);
      } else {
        ++i;
      }
    }
    VnetHeader plain;
    iovec pieces[2] = {{&plain, sizeof(plain)}, {frame.data(), frame.size()}};
    sink(key, absl::MakeSpan(pieces), 1, frame.size());
    return;
  }
  for (size_t i = 0; i < count_; ++i) {
    Flow* flow = order_[i];
    if (!SameFlow(*flow, key, shape, frame.data())) continue;
    if (shape.joinable && Fits(*flow, shape, frame.data())) {
      if (!flow->verified) {
        flow->verified = ChecksumIsRight(
            absl::MakeConstSpan(flow->frame, flow->pieces[1].iov_len),
            flow->shape);
      }
      if (flow->verified && ChecksumIsRight(frame, shape)) {
        Join(flow, shape, frame);
        return;
      }
    }
    EmitAt(i, sink);
    break;
  }
  if (count_ == kMaxFlows) EmitAt(0, sink);
  Flow* flow = order_[count_++];
  Start(flow, key, shape, frame);
  // What nothing can join needs not wait; no other frame of its flow is held.
  if (flow->closed) EmitAt(count_ - 1, sink);
}

void Coalescer::Flush(Sink sink) {
  for (size_t i = 0; i < count_; ++i) Emit(order_[i], sink);
  count_ = 0;
}

}  // namespace eoip::tapd
