// SPDX-License-Identifier: Apache-2.0
#include "tapd/handover_state.h"

#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "tapd/counters_proto.h"

namespace eoip::tapd {
namespace {

// A state of two workers with one tunnel of each family: 15 descriptors.
v1::Handover MakeState() {
  v1::Handover state;
  state.set_format(1);
  state.set_version("0.1.0");
  state.set_lock(0);
  uint32_t next = 1;
  for (int i = 0; i < 2; ++i) {
    v1::WorkerHandover* worker = state.add_workers();
    worker->set_v4(next++);
    worker->set_v4_df(next++);
    worker->set_v6(next++);
  }
  for (int i = 0; i < 2; ++i) {
    v1::TunnelHandover* tunnel = state.add_tunnels();
    v1::TunnelConfig* config = tunnel->mutable_tunnel()->mutable_config();
    config->set_name("t" + std::to_string(i));
    config->set_ipv6(i == 1);
    config->set_tunnel_id(100);
    config->set_remote(i == 1 ? std::string("\x20\x01") + std::string(14, '\1')
                              : std::string("\xc0\0\2\2", 4));
    config->set_mac(std::string("\2\0\0\0\0\1", 6));
    config->set_ttl(255);
    config->set_mtu(1500);
    config->set_inherit_df(true);
    for (int j = 0; j < 2; ++j) {
      tunnel->add_queues(next++);
      tunnel->add_writers(next++);
    }
  }
  state.set_descriptors(next);
  return state;
}

absl::StatusOr<HandoverState> Parse(const v1::Handover& state,
                                    int workers = 2) {
  return ParseHandover(state.SerializeAsString(), 15, workers);
}

TEST(ParseHandover, TakesAWholeState) {
  const auto state = Parse(MakeState());
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->configs.size(), 2u);
  EXPECT_EQ(state->configs[0].name, "t0");
  EXPECT_TRUE(state->configs[1].ipv6);
}

// A newer process hands over to an older one: an upgrade taken back.
TEST(ParseHandover, IgnoresFieldsThatAreNewer) {
  const std::string newer_field = "\xfa\x3e\x03xyz";  // number 1007, bytes
  v1::Handover state = MakeState();
  const std::string tunnel = state.tunnels(0).SerializeAsString() + newer_field;
  ASSERT_TRUE(state.mutable_tunnels(0)->ParseFromString(tunnel));
  const auto parsed =
      ParseHandover(state.SerializeAsString() + newer_field, 15, 2);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
}

// An older process hands over to a newer one: fields of later versions are not
// there. What format 1 always had is enough.
TEST(ParseHandover, IsContentWithoutWhatCameLater) {
  v1::Handover state = MakeState();
  for (v1::WorkerHandover& worker : *state.mutable_workers()) {
    worker.clear_info();
    worker.clear_next_ip_id();
  }
  EXPECT_TRUE(Parse(state).ok());
}

TEST(ParseHandover, RefusesWhatContradictsItself) {
  struct Case {
    std::string want;
    std::function<void(v1::Handover*)> change;
  };
  const Case cases[] = {
      {"has no format", [](v1::Handover* s) { s->clear_format(); }},
      {"format 2, this program reads up to 1",
       [](v1::Handover* s) { s->set_format(2); }},
      {"15 descriptors came, 16 were announced",
       [](v1::Handover* s) { s->set_descriptors(16); }},
      {"descriptor 0 of 15: does not exist or is named twice",
       [](v1::Handover* s) { s->mutable_workers(0)->set_v4(0); }},
      {"descriptor 15 of 15",
       [](v1::Handover* s) { s->mutable_tunnels(1)->set_queues(1, 15); }},
      {"descriptor 3: no use",
       [](v1::Handover* s) { s->mutable_workers(0)->clear_v6(); }},
      {"1 workers, this process has 2",
       [](v1::Handover* s) { s->mutable_workers()->RemoveLast(); }},
      {"tunnel t1: 1 queues for 2 workers",
       [](v1::Handover* s) {
         s->mutable_tunnels(1)->mutable_queues()->RemoveLast();
       }},
      {"tunnel t1: 1 writers for 2 workers",
       [](v1::Handover* s) {
         s->mutable_tunnels(1)->mutable_writers()->RemoveLast();
       }},
      {"tunnel t0: home 2",
       [](v1::Handover* s) { s->mutable_tunnels(0)->set_home(2); }},
      {"tunnel t0: a time before the start",
       [](v1::Handover* s) { s->mutable_tunnels(0)->set_last_heard_ns(-2); }},
      {"config.ttl: 0",
       [](v1::Handover* s) {
         s->mutable_tunnels(0)->mutable_tunnel()->mutable_config()->set_ttl(0);
       }},
      {"tunnel t0: another has its name or key",
       [](v1::Handover* s) {
         s->mutable_tunnels(1)->mutable_tunnel()->mutable_config()->set_name(
             "t0");
       }},
  };
  for (const Case& c : cases) {
    v1::Handover state = MakeState();
    c.change(&state);
    const auto parsed = Parse(state);
    ASSERT_FALSE(parsed.ok()) << c.want;
    EXPECT_NE(parsed.status().message().find(c.want), std::string::npos)
        << parsed.status() << " wanted: " << c.want;
  }
  EXPECT_FALSE(ParseHandover("\xff\xff", 0, 1).ok());
}

TEST(ParseHandover, RefusesATunnelWithoutItsSocket) {
  v1::Handover state = MakeState();
  // The last descriptor takes the place of the socket's, so that all are used.
  state.mutable_workers(1)->clear_v4_df();
  state.mutable_tunnels(1)->set_writers(1, 5);
  state.set_descriptors(14);
  const auto parsed = ParseHandover(state.SerializeAsString(), 14, 2);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.status().message().find(
                "tunnel t0: a worker has no socket for it"),
            std::string::npos)
      << parsed.status();
}

// Whoever adds a counter finds here that it has to be restored, too.
TEST(RestoreCounters, EveryCounterComesBack) {
  v1::Counters counters;
  const auto* descriptor = counters.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    if (descriptor->field(i)->is_map()) continue;
    counters.GetReflection()->SetUInt64(&counters, descriptor->field(i),
                                        100 + static_cast<uint64_t>(i));
  }
  for (int i = 0; i < kDropCauses; ++i) {
    (*counters.mutable_drops())[std::string(DropName(static_cast<Drop>(i)))] =
        static_cast<uint64_t>(i) + 1;
  }
  TunnelCounters restored;
  RestoreCounters(counters, &restored);
  v1::Counters again;
  AddCounters(restored, &again);
  EXPECT_EQ(again.DebugString(), counters.DebugString());
  // A cause of a newer version is left out.
  (*counters.mutable_drops())["newer"] = 1;
  TunnelCounters other;
  RestoreCounters(counters, &other);
  v1::Counters known;
  AddCounters(other, &known);
  EXPECT_EQ(known.drops().count("newer"), 0u);
}

}  // namespace
}  // namespace eoip::tapd
