// SPDX-License-Identifier: Apache-2.0
//
// Checksums, splitting, joining and the MSS clamp, against frames that the test
// makes by itself.
#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tapd/checksum.h"
#include "tapd/clamp_mss.h"
#include "tapd/coalesce.h"
#include "tapd/segment.h"
#include "tapd/testing/flow_frames.h"
#include "tapd/testing/packets.h"

namespace eoip::tapd {
namespace {

using testing::Bytes;
using testing::Concat;
using testing::FromHex;
using testing::InternetChecksum;
using testing::kAck;
using testing::kCwr;
using testing::kFin;
using testing::Kinds;
using testing::kPsh;
using testing::kSyn;
using testing::MakeFrame;
using testing::MakeIpv4;
using testing::MakeIpv6;
using testing::MakeTrain;
using testing::OuterOptions;
using testing::Put;
using testing::Random;
using testing::Segment;
using testing::ToHex;

// What the kernel would hand over for it: the checksum left to be completed.
struct SuperFrame {
  Bytes frame;
  VnetHeader vnet;
};
SuperFrame MakeSuperFrame(const Segment& s, uint16_t gso_size) {
  SuperFrame super{MakeFrame(s), {}};
  const size_t ip_at = s.vlan ? 18 : 14;
  super.vnet.flags = 1;
  super.vnet.gso_type = s.udp ? 5 : s.ipv6 ? 4 : 1;
  super.vnet.gso_size = gso_size;
  super.vnet.checksum_start = static_cast<uint16_t>(ip_at + (s.ipv6 ? 40 : 20));
  super.vnet.checksum_offset = s.udp ? 6 : 16;
  return super;
}

std::vector<Bytes> Split(const SuperFrame& super) {
  std::vector<Bytes> frames;
  const auto segmenter = Segmenter::Make(super.vnet, super.frame);
  if (!segmenter.has_value()) return frames;
  for (size_t i = 0; i < segmenter->count(); ++i) {
    Bytes frame(segmenter->head_size());
    segmenter->WriteHead(i, frame.data());
    const auto payload = segmenter->Payload(i);
    frame.insert(frame.end(), payload.begin(), payload.end());
    frames.push_back(frame);
  }
  return frames;
}

TEST(FinishChecksum, CompletesWhatTheKernelLeft) {
  for (Segment s : Kinds()) {
    s.payload = Random(501, 2);
    const Bytes want = MakeFrame(s);
    SuperFrame super = MakeSuperFrame(s, 0);
    // The kernel's sum of the pseudo header.
    const size_t start = super.vnet.checksum_start;
    const size_t at = start + super.vnet.checksum_offset;
    const size_t ip_at = s.vlan ? 18 : 14;
    StoreSum(&super.frame[at],
             FoldSum(SumPseudoHeader(
                 &super.frame[ip_at], s.ipv6, s.udp ? 17 : 6,
                 static_cast<uint32_t>(super.frame.size() - start))));
    ASSERT_TRUE(FinishChecksum(super.vnet, absl::MakeSpan(super.frame)));
    EXPECT_EQ(ToHex(super.frame), ToHex(want));
  }
}

TEST(Segmenter, MakesTheFramesThatASenderWould) {
  const Bytes data = Random(10001, 3);
  for (Segment s : Kinds()) {
    const auto want = MakeTrain(s, data, 1400, kAck | kPsh | kFin);
    s.payload = data;
    if (!s.udp) s.flags = kAck | kPsh | kFin;
    EXPECT_EQ(Split(MakeSuperFrame(s, 1400)), want);
  }
}

TEST(Segmenter, KeepsCwrOnTheFirstSegmentOnly) {
  Segment s;
  s.flags = kAck | kCwr;
  s.payload = Bytes(300);
  SuperFrame super = MakeSuperFrame(s, 100);
  super.vnet.gso_type |= 0x80;
  const auto frames = Split(super);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0][47], kAck | kCwr);
  EXPECT_EQ(frames[1][47], kAck);
  EXPECT_EQ(frames[2][47], kAck);
}

TEST(Segmenter, RefusesWhatDoesNotFitTogether) {
  Segment s;
  s.payload = Bytes(300);
  const SuperFrame good = MakeSuperFrame(s, 100);
  ASSERT_EQ(Split(good).size(), 3u);
  SuperFrame bad = good;
  bad.vnet.gso_size = 0;
  EXPECT_TRUE(Split(bad).empty());
  bad = good;
  bad.vnet.gso_type = 4;
  EXPECT_TRUE(Split(bad).empty());
  bad = good;
  bad.vnet.gso_type = 3;
  EXPECT_TRUE(Split(bad).empty());
  bad = good;
  bad.vnet.flags = 0;
  EXPECT_TRUE(Split(bad).empty());
  bad = good;
  bad.vnet.checksum_start = 35;
  EXPECT_TRUE(Split(bad).empty());
  bad = good;
  bad.vnet.checksum_start = 60000;
  EXPECT_TRUE(Split(bad).empty());
  bad = good;
  bad.frame[46] = 0xf0;
  bad.frame.resize(80);
  EXPECT_TRUE(Split(bad).empty());
  for (size_t n = 0; n < 54; ++n) {
    bad = good;
    bad.frame.resize(n);
    EXPECT_TRUE(Split(bad).empty());
  }
}

// Collects what comes out, super-frames split again.
class Collector {
 public:
  explicit Collector(bool udp = true) : udp_(udp) {}

  void Add(const Bytes& frame, int key = 0) {
    kept_.push_back(frame);
    coalescer_.Add(&keys_[key], absl::MakeSpan(kept_.back()), udp_, Sink());
  }
  void Flush() { coalescer_.Flush(Sink()); }

  std::vector<Bytes> frames;                 // split again
  std::vector<size_t> joined;                // frames per write
  std::map<int, std::vector<Bytes>> by_key;  // split again

 private:
  std::function<void(void*, absl::Span<iovec>, size_t, size_t)> Sink() {
    return [this](void* key, absl::Span<iovec> pieces, size_t count,
                  size_t bytes) {
      SuperFrame super;
      std::memcpy(&super.vnet, pieces[0].iov_base, 10);
      for (const iovec& piece : pieces.subspan(1)) {
        const auto* p = static_cast<uint8_t*>(piece.iov_base);
        super.frame.insert(super.frame.end(), p, p + piece.iov_len);
      }
      joined.push_back(count);
      std::vector<Bytes> out = {super.frame};
      if (super.vnet.gso_type != 0) out = Split(super);
      EXPECT_EQ(out.size(), count);
      size_t total = 0;
      for (const Bytes& frame : out) {
        frames.push_back(frame);
        by_key[static_cast<int>(static_cast<char*>(key) - keys_)].push_back(
            frame);
        total += frame.size();
      }
      EXPECT_EQ(total, bytes);
    };
  }

  const bool udp_;
  char keys_[4];
  std::list<Bytes> kept_;
  Coalescer coalescer_;
};

TEST(Coalescer, JoinsATrainAndSplittingGivesItBack) {
  const Bytes data = Random(20000, 4);
  for (const Segment& s : Kinds()) {
    const auto train = MakeTrain(s, data, 1400, kAck | kPsh);
    Collector out;
    for (const Bytes& frame : train) out.Add(frame);
    out.Flush();
    EXPECT_EQ(out.joined, std::vector<size_t>{train.size()});
    EXPECT_EQ(out.frames, train);
  }
}

// One's complement has two zeros. A checksum of 0xffff is right where a sender
// writes 0, and splitting again would write 0 (found by tapd_coalesce_fuzz).
TEST(Coalescer, LeavesAChecksumThatSplittingWouldWriteInAnotherWay) {
  for (const Segment& kind : Kinds()) {
    if (kind.udp) continue;  // there 0xffff is what everybody writes
    const size_t ip_at = kind.vlan ? 18 : 14;
    const size_t sum_at = ip_at + (kind.ipv6 ? 40 : 20) + 16;
    auto train = MakeTrain(kind, Bytes(3000), 1000);
    // With its own checksum in the payload the sum comes to 0.
    Segment middle = kind;
    middle.seq += 1000, ++middle.ip_id;
    middle.payload = Bytes(1000);
    middle.payload[0] = train[1][sum_at];
    middle.payload[1] = train[1][sum_at + 1];
    train[1] = MakeFrame(middle);
    ASSERT_EQ(train[1][sum_at] | train[1][sum_at + 1], 0);
    for (uint8_t zero : {0x00, 0xff}) {
      train[1][sum_at] = train[1][sum_at + 1] = zero;
      Collector out;
      for (const Bytes& frame : train) out.Add(frame);
      out.Flush();
      EXPECT_EQ(out.frames, train);
      EXPECT_EQ(out.joined.size(), zero == 0 ? 1u : 3u);
    }
  }
  // The same with the IPv4 header's.
  Segment s;
  s.ip_id = 0;
  s.payload = Bytes(1000);
  const Bytes first = MakeFrame(s);
  s.ip_id = static_cast<uint16_t>(first[24] << 8 | first[25]);
  auto train = MakeTrain(s, Bytes(2000), 1000);
  ASSERT_EQ(train[0][24] | train[0][25], 0);
  train[0][24] = train[0][25] = 0xff;
  Collector out;
  for (const Bytes& frame : train) out.Add(frame);
  out.Flush();
  EXPECT_EQ(out.frames, train);
}

TEST(Coalescer, NeverMakesAPacketLargerThanIpAllows) {
  const auto train = MakeTrain(Segment(), Random(200000, 5), 1448);
  Collector out;
  for (const Bytes& frame : train) out.Add(frame);
  out.Flush();
  EXPECT_EQ(out.frames, train);
  for (size_t n : out.joined) EXPECT_LE(20 + 20 + n * 1448, 65535u);
  EXPECT_LT(out.joined.size(), 6u);
}

TEST(Coalescer, LeavesAFrameWithAWrongChecksumAsItIs) {
  for (const Segment& s : Kinds()) {
    for (size_t broken : {0, 1, 2}) {
      auto train = MakeTrain(s, Random(4000, 6), 1000);
      train[broken][train[broken].size() - 5] ^= 0x10;
      Collector out;
      for (const Bytes& frame : train) out.Add(frame);
      out.Flush();
      EXPECT_EQ(out.frames, train);
      EXPECT_GE(out.joined.size(), 2u);
    }
  }
  // The same with the IPv4 header's.
  auto train = MakeTrain(Segment(), Random(4000, 6), 1000);
  train[1][24] ^= 1;
  Collector out;
  for (const Bytes& frame : train) out.Add(frame);
  out.Flush();
  EXPECT_EQ(out.frames, train);
}

TEST(Coalescer, DoesNotJoinWhatDiffers) {
  Segment first;
  first.payload = Random(1000, 7);
  Segment next = first;
  next.seq += 1000;
  ++next.ip_id;
  using Change = std::function<void(Segment*)>;
  const std::vector<Change> changes = {
      [](Segment* s) { s->seq += 1; },
      [](Segment* s) { s->seq -= 1000; },
      [](Segment* s) { s->ack += 1; },
      [](Segment* s) { s->window += 1; },
      [](Segment* s) { s->ip_id += 1; },
      [](Segment* s) { s->tos = 3; },
      [](Segment* s) { s->dont_fragment = true; },
      [](Segment* s) { s->vlan = true; },
      [](Segment* s) { s->flags = kAck | kFin; },
      [](Segment* s) { s->flags = kAck | kCwr; },
      [](Segment* s) { s->flags = kAck | kSyn; },
      [](Segment* s) { s->payload.resize(1001); },
      [](Segment* s) { s->payload.clear(); },
      [](Segment* s) { s->options = FromHex("01010101"); },
      [](Segment* s) { s->source_port += 1; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    Segment changed = next;
    changes[i](&changed);
    Collector out;
    out.Add(MakeFrame(first));
    out.Add(MakeFrame(changed));
    out.Flush();
    EXPECT_EQ(out.joined, (std::vector<size_t>{1, 1}));
    if (i + 1 < changes.size()) {
      EXPECT_EQ(out.frames,
                (std::vector<Bytes>{MakeFrame(first), MakeFrame(changed)}));
    }
  }
  Collector out;
  out.Add(MakeFrame(first));
  out.Add(MakeFrame(next));
  out.Flush();
  EXPECT_EQ(out.joined, std::vector<size_t>{2});
}

TEST(Coalescer, PassesAtOnceWhatCannotBeJoined) {
  Collector out;
  Segment s;
  s.flags = kAck;
  const Bytes pure_ack = MakeFrame(s);
  out.Add(pure_ack);
  EXPECT_EQ(out.frames.size(), 1u);
  const Bytes arp = testing::TestFrame(42, 1, 0x0806);
  out.Add(arp);
  EXPECT_EQ(out.frames.size(), 2u);
  // Padded to the least Ethernet size.
  s.payload = Random(2, 8);
  Bytes padded = MakeFrame(s);
  padded.resize(60);
  out.Add(padded);
  EXPECT_EQ(out.frames, (std::vector<Bytes>{pure_ack, arp, padded}));
}

TEST(Coalescer, DoesNotJoinUdpWhereTheKernelDoesNotTakeIt) {
  Segment s;
  s.udp = true;
  Collector out(false);
  const auto train = MakeTrain(s, Random(4000, 9), 1000);
  for (const Bytes& frame : train) out.Add(frame);
  out.Flush();
  EXPECT_EQ(out.joined, (std::vector<size_t>{1, 1, 1, 1}));
  // Datagrams without a checksum cannot be verified.
  Collector no_checksum;
  for (Bytes frame : train) {
    frame[40] = frame[41] = 0;
    no_checksum.Add(frame);
  }
  no_checksum.Flush();
  EXPECT_EQ(no_checksum.joined, (std::vector<size_t>{1, 1, 1, 1}));
}

// Random interleaving of many flows with loss, duplicates, reordering,
// corruption and foreign frames: per flow and tunnel, what comes out is what
// went in, in order, byte for byte.
TEST(Coalescer, KeepsEveryFlowInOrderWhateverComes) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::map<int, std::vector<Bytes>> in;
    Collector out;
    std::vector<std::pair<int, std::vector<Bytes>>> trains;
    const int flows = 1 + static_cast<int>(random() % 24);
    for (int f = 0; f < flows; ++f) {
      Segment s = Kinds()[random() % 8];
      s.source_port = static_cast<uint16_t>(f);
      s.dont_fragment = random() % 2 == 0;
      auto train =
          MakeTrain(s, Random(1 + random() % 9000, random()),
                    1 + random() % 1400, random() % 2 ? kAck : kAck | kPsh);
      if (train.size() > 40) train.resize(40);
      for (size_t i = 0; i + 1 < train.size(); ++i) {
        if (random() % 10 == 0) std::swap(train[i], train[i + 1]);
        if (random() % 20 == 0) train[i] = train[i + 1];
        if (random() % 20 == 0) train[i][random() % train[i].size()] ^= 4;
      }
      trains.emplace_back(static_cast<int>(random() % 3), train);
    }
    while (!trains.empty()) {
      const size_t t = random() % trains.size();
      auto& [key, train] = trains[t];
      const size_t burst = 1 + random() % 8;
      for (size_t i = 0; i < burst && !train.empty(); ++i) {
        in[key].push_back(train.front());
        out.Add(train.front(), key);
        train.erase(train.begin());
      }
      if (train.empty()) trains.erase(trains.begin() + t);
      if (random() % 16 == 0) out.Flush();
      if (random() % 16 == 0) {
        const Bytes other = testing::TestFrame(60, 1);
        in[0].push_back(other);
        out.Add(other, 0);
      }
    }
    out.Flush();
    for (auto& [key, want] : in) {
      auto& got = out.by_key[key];
      ASSERT_EQ(got.size(), want.size()) << seed;
      // By source port: 2 bytes behind the IP header, if it is such a frame.
      const auto flow_of = [](const Bytes& frame) {
        FlowFrame shape;
        if (!ParseFlowFrame(frame, true, &shape)) return Bytes();
        return Bytes(frame.begin() + shape.ip_at + (shape.ipv6 ? 8 : 12),
                     frame.begin() + shape.l4_at + 4);
      };
      std::map<Bytes, std::vector<Bytes>> want_by_flow, got_by_flow;
      for (auto& f : want) want_by_flow[flow_of(f)].push_back(f);
      for (auto& f : got) {
        // Ids of packets with DF are free.
        got_by_flow[flow_of(f)].push_back(f);
      }
      for (auto* flows_of : {&want_by_flow, &got_by_flow}) {
        for (auto& [flow, frames] : *flows_of) {
          for (Bytes& f : frames) {
            FlowFrame shape;
            if (!ParseFlowFrame(f, true, &shape) || shape.ipv6) continue;
            if ((f[shape.ip_at + 6] & 0x40) == 0) continue;
            if (!ChecksumIsRight(f, shape)) continue;
            f[shape.ip_at + 4] = f[shape.ip_at + 5] = 0;
            f[shape.ip_at + 10] = f[shape.ip_at + 11] = 0;
          }
        }
      }
      ASSERT_EQ(got_by_flow, want_by_flow) << seed;
    }
  }
}

TEST(ClampTcpMss, LowersTheMssOfSynsAndKeepsTheChecksumRight) {
  for (Segment s : Kinds()) {
    if (s.udp) continue;
    for (const char* prefix :
         {"", "01", "0101", "030307", "080a0102030405060708"}) {
      for (uint8_t flags : {kSyn, static_cast<uint8_t>(kSyn | kAck)}) {
        const uint16_t most = s.ipv6 ? 1440 : 1460;
        Bytes before = Concat(FromHex(prefix), FromHex("020405dc"));
        Bytes after = before;
        Put(&after, after.size() - 2, 2, most);
        while (before.size() % 4 != 0) before.push_back(0), after.push_back(0);
        s.flags = flags;
        s.options = before;
        Bytes frame = MakeFrame(s);
        s.options = after;
        EXPECT_TRUE(ClampTcpMss(1500, absl::MakeSpan(frame)));
        EXPECT_EQ(ToHex(frame), ToHex(MakeFrame(s)));
        EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(frame)));
      }
    }
  }
}

// A SYN behind extension headers: type, then the header with the type of what
// follows it left 0.
Bytes WithExtensions(
    Bytes frame, const std::vector<std::pair<uint8_t, std::string>>& headers) {
  const size_t ip_at = frame[12] == 0x81 ? 18 : 14;
  Bytes all;
  for (size_t i = 0; i < headers.size(); ++i) {
    Bytes header = FromHex(headers[i].second);
    header[0] = i + 1 < headers.size() ? headers[i + 1].first : 6;
    all = Concat(all, header);
  }
  frame[ip_at + 6] = headers[0].first;
  const size_t size = frame.size() - ip_at - 40 + all.size();
  Put(&frame, ip_at + 4, 2, static_cast<uint32_t>(size));
  frame.insert(frame.begin() + static_cast<long>(ip_at) + 40, all.begin(),
               all.end());
  return frame;
}

TEST(ClampTcpMss, FindsTcpBehindIpv6ExtensionHeaders) {
  const std::string hop = "0000010400000000", routing = "0000040000000000";
  const std::string options = "0001010c000000000000000000000000";
  const std::string first = "0000000100000007", later = "0000000800000007";
  const std::string ah = "0004000000000100000000010000000000000000000000000000";
  for (bool vlan : {false, true}) {
    Segment s;
    s.ipv6 = true, s.vlan = vlan, s.flags = kSyn;
    s.options = FromHex("020405dc");
    const Bytes before = MakeFrame(s);
    s.options = FromHex("020405a0");
    const Bytes after = MakeFrame(s);
    using Headers = std::vector<std::pair<uint8_t, std::string>>;
    for (const Headers& headers :
         {Headers{{0, hop}}, Headers{{60, options}}, Headers{{44, first}},
          Headers{{0, hop}, {60, options}, {43, routing}, {44, first}}}) {
      Bytes frame = WithExtensions(before, headers);
      EXPECT_TRUE(ClampTcpMss(1500, absl::MakeSpan(frame)));
      EXPECT_EQ(ToHex(frame), ToHex(WithExtensions(after, headers)));
    }
    // A later fragment, what is signed, and what nobody knows stay.
    for (const Headers& headers :
         {Headers{{44, later}}, Headers{{51, ah}}, Headers{{253, hop}},
          Headers(20, {60, hop})}) {
      Bytes frame = WithExtensions(before, headers);
      EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(frame)));
      EXPECT_EQ(frame, WithExtensions(before, headers));
    }
    // Cut anywhere.
    const Bytes whole =
        WithExtensions(before, {{0, hop}, {60, options}, {44, first}});
    for (size_t n = 0; n < whole.size(); ++n) {
      Bytes part(whole.begin(), whole.begin() + static_cast<long>(n));
      EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(part)));
    }
  }
}

TEST(ClampTcpMss, LeavesEverythingElse) {
  Segment s;
  s.options = FromHex("020405dc");
  Bytes frame = MakeFrame(s);  // no SYN
  EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(frame)));
  s.flags = kSyn;
  for (const char* options :
       {"", "02040200", "020305dc", "02ff05dc", "02000000", "010101ff",
        "00020405dc000000", "01010102"}) {
    s.options = FromHex(options);
    frame = MakeFrame(s);
    const Bytes before = frame;
    EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(frame))) << options;
    EXPECT_EQ(frame, before);
  }
  s.options = FromHex("020405dc");
  frame = MakeFrame(s);
  frame[20] = 0, frame[21] = 9;  // a later fragment
  EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(frame)));
  // Cut anywhere, any MTU.
  frame = MakeFrame(s);
  for (size_t n = 0; n < frame.size(); ++n) {
    Bytes part(frame.begin(), frame.begin() + n);
    EXPECT_FALSE(ClampTcpMss(1500, absl::MakeSpan(part)));
  }
  EXPECT_FALSE(ClampTcpMss(40, absl::MakeSpan(frame)));
  EXPECT_TRUE(ClampTcpMss(68, absl::MakeSpan(frame)));
}

}  // namespace
}  // namespace eoip::tapd
