// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/property.h"

#include <set>

#include "eoip/v1/attachment.pb.h"
#include "eoip/v1/network.pb.h"
#include "eoip/v1/tunnel.pb.h"
#include "eoipctl/resource.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Args = std::vector<std::string>;

std::string ErrorOf(const Resource& resource, const Args& args,
                    Message* message) {
  const auto parsed = ParseArguments(resource.properties, args, message);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

std::string TunnelError(const Args& args) {
  v1::Tunnel tunnel;
  return ErrorOf(Tunnels(), args, &tunnel);
}

TEST(TunnelWords, ReadEveryPropertyOfRouterOs) {
  v1::Tunnel tunnel;
  const auto parsed = ParseArguments(Tunnels().properties,
                                     {"eoip7",
                                      "kind=eoip",
                                      "remote-address=192.0.2.1",
                                      "local-address=192.0.2.2",
                                      "tunnel-id=100",
                                      "mtu=1458",
                                      "mac-address=02:00:00:00:00:01",
                                      "keepalive=10s,10",
                                      "dscp=46",
                                      "dont-fragment=inherit",
                                      "clamp-tcp-mss=no",
                                      "ttl=64",
                                      "fwmark=0x10",
                                      "link=eth0",
                                      "vrf=blue",
                                      "datapath=tap",
                                      "disabled=yes",
                                      "allow-fast-path=no",
                                      "ipsec-secret=hunter2",
                                      "arp=proxy-arp",
                                      "arp-timeout=30s",
                                      "loop-protect=on",
                                      "loop-protect-send-interval=5s",
                                      "loop-protect-disable-time=5m",
                                      "comment=to Bern = home"},
                                     &tunnel);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->name, "eoip7");
  EXPECT_EQ(tunnel.kind(), v1::EOIP);
  EXPECT_EQ(tunnel.remote(), "192.0.2.1");
  EXPECT_EQ(tunnel.local(), "192.0.2.2");
  EXPECT_EQ(tunnel.tunnel_id(), 100u);
  EXPECT_EQ(tunnel.mtu(), 1458u);
  EXPECT_EQ(tunnel.mac(), "02:00:00:00:00:01");
  EXPECT_EQ(tunnel.keepalive().interval().seconds(), 10);
  EXPECT_EQ(tunnel.keepalive().retries(), 10u);
  EXPECT_EQ(tunnel.dscp(), 46u);
  EXPECT_EQ(tunnel.dont_fragment(), v1::DONT_FRAGMENT_INHERIT);
  EXPECT_TRUE(tunnel.has_clamp_tcp_mss() && !tunnel.clamp_tcp_mss());
  EXPECT_EQ(tunnel.ttl(), 64u);
  EXPECT_EQ(tunnel.fwmark(), 16u);
  EXPECT_EQ(tunnel.link(), "eth0");
  EXPECT_EQ(tunnel.vrf(), "blue");
  EXPECT_EQ(tunnel.datapath(), v1::TAP);
  EXPECT_TRUE(tunnel.disabled());
  EXPECT_TRUE(tunnel.has_allow_fast_path() && !tunnel.allow_fast_path());
  EXPECT_EQ(tunnel.ipsec_secret(), "hunter2");
  EXPECT_EQ(tunnel.arp(), v1::ARP_PROXY_ARP);
  EXPECT_EQ(tunnel.arp_timeout().seconds(), 30);
  EXPECT_TRUE(tunnel.loop_protect().enabled());
  EXPECT_EQ(tunnel.loop_protect().send_interval().seconds(), 5);
  EXPECT_EQ(tunnel.loop_protect().disable_time().seconds(), 300);
  EXPECT_EQ(tunnel.comment(), "to Bern = home");
  EXPECT_EQ(parsed->mask.size(), Tunnels().properties.size());
}

TEST(TunnelWords, TakeTheWordsForDefaultsAsAbsent) {
  v1::Tunnel tunnel;
  const auto parsed = ParseArguments(
      Tunnels().properties,
      {"t", "local-address=auto", "mtu=auto", "mac-address=auto",
       "keepalive=default", "dscp=inherit", "ttl=auto", "fwmark=none",
       "link=none", "vrf=none", "arp-timeout=auto", "loop-protect=default"},
      &tunnel);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(tunnel.ByteSizeLong(), 0u) << tunnel.ShortDebugString();
  EXPECT_EQ(parsed->mask.size(), 11u);
}

TEST(TunnelWords, ClearWithNotAndTurnKeepalivesOff) {
  v1::Tunnel tunnel;
  const auto parsed = ParseArguments(
      Tunnels().properties,
      {"!keepalive", "!dscp", "!loop-protect", "!comment"}, &tunnel);
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->name, IsEmpty());
  EXPECT_THAT(parsed->mask, ElementsAre("keepalive", "dscp",
                                        "loop_protect.enabled", "comment"));
  EXPECT_TRUE(tunnel.keepalive().off());
  EXPECT_FALSE(tunnel.has_dscp());
  EXPECT_FALSE(tunnel.has_loop_protect());
}

TEST(TunnelWords, ReadKeepalivesInEveryForm) {
  const auto parse = [](const std::string& value) {
    v1::Tunnel tunnel;
    const auto parsed =
        ParseArguments(Tunnels().properties, {"keepalive=" + value}, &tunnel);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return tunnel.keepalive();
  };
  EXPECT_EQ(parse("00:00:05,3").interval().seconds(), 5);
  EXPECT_EQ(parse("00:00:05,3").retries(), 3u);
  EXPECT_EQ(parse("1m").interval().seconds(), 60);
  EXPECT_EQ(parse("1m").retries(), 0u);
  EXPECT_EQ(parse("7").interval().seconds(), 7);
  EXPECT_EQ(parse("1500ms").interval().nanos(), 500000000);
  EXPECT_TRUE(parse("off").off());
  EXPECT_TRUE(parse("no").off());
  for (const char* bad : {"10s,", ",10", "10s,0", "10s,-1", "10s,10,1", "x"}) {
    EXPECT_THAT(TunnelError({std::string("keepalive=") + bad}),
                HasSubstr("keepalive: '"))
        << bad;
  }
}

TEST(TunnelWords, SuggestTheNearestKnownWord) {
  EXPECT_EQ(TunnelError({"remote-adress=1"}),
            "unknown property 'remote-adress' (did you mean "
            "'remote-address'?)");
  EXPECT_EQ(TunnelError({"!keepalives"}),
            "unknown property 'keepalives' (did you mean 'keepalive'?)");
  EXPECT_EQ(TunnelError({"colour=red"}), "unknown property 'colour'");
  EXPECT_EQ(TunnelError({"=x"}), "unknown property ''");
  EXPECT_EQ(TunnelError({"!"}), "unknown property ''");
}

TEST(TunnelWords, NameTheWordTheValueAndWhatIsAllowed) {
  EXPECT_EQ(TunnelError({"kind=gre"}),
            "kind: 'gre': eoip, eoipv6, ipip or ipipv6");
  EXPECT_EQ(TunnelError({"kind=tunnel-kind-unspecified"}),
            "kind: 'tunnel-kind-unspecified': eoip, eoipv6, ipip or ipipv6");
  EXPECT_EQ(TunnelError({"tunnel-id=4294967296"}),
            "tunnel-id: '4294967296': 0..65535 (eoip) or 0..4095 (eoipv6)");
  EXPECT_EQ(TunnelError({"disabled="}), "disabled: '': yes or no");
  EXPECT_EQ(TunnelError({"mtu=\x1b"}), "mtu: '\\033': 68..65521, or auto");
}

TEST(TunnelWords, RefuseAWordGivenTwice) {
  EXPECT_EQ(TunnelError({"mtu=1500", "mtu=1400"}), "mtu: it is given twice");
  EXPECT_EQ(TunnelError({"mac=x", "mac-address=y"}),
            "mac-address: it is given twice");
  EXPECT_THAT(TunnelError({"a", "b"}), HasSubstr("'a' is the name already"));
  EXPECT_THAT(TunnelError({"a", "name=b"}), HasSubstr("name: 'b'"));
}

TEST(TunnelWords, TakeUnderscoresAndAliases) {
  v1::Tunnel tunnel;
  const auto parsed =
      ParseArguments(Tunnels().properties,
                     {"name=t", "remote=192.0.2.1", "tunnel_id=7"}, &tunnel);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->name, "t");
  EXPECT_EQ(tunnel.remote(), "192.0.2.1");
  EXPECT_EQ(tunnel.tunnel_id(), 7u);
}

// What is printed can be typed again: no property loses anything.
void ExpectRoundTrip(const Resource& resource, const Args& args, Message* first,
                     Message* second) {
  ASSERT_TRUE(ParseArguments(resource.properties, args, first).ok());
  Args printed;
  for (const Property& property : resource.properties) {
    const std::string value = FormatProperty(property, *first);
    if (!value.empty()) printed.push_back(property.word + "=" + value);
  }
  EXPECT_EQ(printed, args);
  ASSERT_TRUE(ParseArguments(resource.properties, printed, second).ok());
  EXPECT_EQ(first->SerializeAsString(), second->SerializeAsString());
}

TEST(FormatProperty, PrintsTunnelsAsTheyAreTyped) {
  v1::Tunnel a, b;
  ExpectRoundTrip(
      Tunnels(),
      {"kind=eoipv6", "remote-address=2001:db8::1", "tunnel-id=0", "mtu=1444",
       "keepalive=1m30s,3", "dscp=0", "dont-fragment=no", "clamp-tcp-mss=no",
       "datapath=kernel", "arp=reply-only", "arp-timeout=45s",
       "loop-protect=yes", "comment=a=b"},
      &a, &b);
}

TEST(FormatProperty, PrintsNetworksAsTheyAreTyped) {
  v1::Network a, b;
  ExpectRoundTrip(
      Networks(),
      {"ports=tunnels/a:isolated,eth1:pvid=10:tagged=20+30-40,"
       "tunnels/b:storm-limit-pps=100",
       "mtu=9000", "stp=yes", "multicast-snooping=yes", "vlan-filtering=yes",
       "mac-address=02:00:00:00:00:02", "comment=x"},
      &a, &b);
  ASSERT_EQ(a.ports_size(), 3);
  EXPECT_TRUE(a.ports(0).isolated());
  EXPECT_EQ(a.ports(0).tunnel(), "tunnels/a");
  EXPECT_EQ(a.ports(1).link(), "eth1");
  EXPECT_EQ(a.ports(1).tagged(1).first(), 30u);
  EXPECT_EQ(a.ports(1).tagged(1).last(), 40u);
}

TEST(FormatProperty, PrintsAttachmentsAsTheyAreTyped) {
  v1::Attachment a, b;
  ExpectRoundTrip(Attachments(),
                  {"host-link=veth0", "container-id=abc", "ifname=eth0",
                   "netns=/run/netns/x", "mac-address=02:00:00:00:00:03",
                   "addresses=192.0.2.7/24,2001:db8::7/64", "vlan=10",
                   "trunk=20,30-40", "isolated=yes", "locked=yes",
                   "hairpin=yes", "pod-namespace=default", "pod-name=web"},
                  &a, &b);
}

TEST(NetworkWords, RefuseMalformedPorts) {
  for (const char* bad :
       {"", ",", "a,", "a:", "a:colour=red", "a:pvid=x", "a:pvid",
        "a:tagged=", "a:tagged=1-2-3", "a:isolated=maybe", ":isolated"}) {
    v1::Network network;
    EXPECT_THAT(ErrorOf(Networks(), {std::string("ports=") + bad}, &network),
                HasSubstr("ports: '"))
        << bad;
  }
}

TEST(ResolvePorts, MakesTunnelsOfNamesThatAreTunnels) {
  v1::Network network;
  ASSERT_TRUE(ParseArguments(Networks().properties,
                             {"ports=eoip7:isolated,eth1,tunnels/later"},
                             &network)
                  .ok());
  std::vector<std::string> asked;
  ASSERT_TRUE(ResolvePorts(
                  [&](const std::string& id) {
                    asked.push_back(id);
                    return id == "eoip7";
                  },
                  &network)
                  .ok());
  EXPECT_THAT(asked, ElementsAre("eoip7", "eth1"));
  EXPECT_EQ(network.ports(0).tunnel(), "tunnels/eoip7");
  EXPECT_TRUE(network.ports(0).isolated());
  EXPECT_EQ(network.ports(1).link(), "eth1");
  EXPECT_EQ(network.ports(2).tunnel(), "tunnels/later");
}

TEST(Names, AreTakenShortAndFull) {
  EXPECT_EQ(*Tunnels().full_name("eoip7"), "tunnels/eoip7");
  EXPECT_EQ(*Tunnels().full_name("tunnels/eoip7"), "tunnels/eoip7");
  EXPECT_EQ(*Networks().full_name("networks/lan"), "networks/lan");
  EXPECT_EQ(*Attachments().full_name("lan/web"),
            "networks/lan/attachments/web");
  EXPECT_EQ(*Attachments().full_name("networks/lan/attachments/web"),
            "networks/lan/attachments/web");
  EXPECT_EQ(Attachments().short_name("networks/lan/attachments/web"),
            "lan/web");
  for (const char* bad : {"", "tunnels/", "networks/x", "a/b"}) {
    EXPECT_FALSE(Tunnels().full_name(bad).ok()) << bad;
  }
  for (const char* bad : {"", "web", "lan/", "/web", "a/b/c"}) {
    EXPECT_FALSE(Attachments().full_name(bad).ok()) << bad;
  }
}

TEST(WordOfError, TranslatesTheFieldsPath) {
  const auto& tunnel = Tunnels().properties;
  EXPECT_EQ(WordOfError(tunnel, "tunnel", "tunnel.remote: 'x': bad"),
            "remote-address");
  EXPECT_EQ(WordOfError(tunnel, "tunnel", "tunnel.keepalive.interval: 'x'"),
            "keepalive");
  EXPECT_EQ(WordOfError(tunnel, "tunnel", "tunnel.loop_protect: 'set'"),
            "loop-protect");
  EXPECT_EQ(WordOfError(tunnel, "tunnel", "tunnel.remotely: 'x'"), "");
  EXPECT_EQ(WordOfError(tunnel, "tunnel", "tunnel.: 'x'"), "");
  EXPECT_EQ(WordOfError(tunnel, "tunnel", "no such tunnel"), "");
  EXPECT_EQ(WordOfError(Networks().properties, "network",
                        "network.ports[1].pvid: '4095'"),
            "ports");
}

// A field that gets no word could neither be set nor seen in full.
TEST(Properties, CoverEveryInputFieldOfTheApi) {
  const std::set<std::string> not_typed = {"name", "etag", "status",
                                           "released_links", "source"};
  v1::Tunnel tunnel;
  v1::Network network;
  v1::Attachment attachment;
  const std::pair<const Resource*, const Message*> kinds[] = {
      {&Tunnels(), &tunnel},
      {&Networks(), &network},
      {&Attachments(), &attachment}};
  for (const auto& [resource, message] : kinds) {
    std::set<std::string> covered = not_typed;
    for (const Property& property : resource->properties) {
      covered.insert(property.path.substr(0, property.path.find('.')));
    }
    const auto* type = message->GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      EXPECT_EQ(covered.count(type->field(i)->name()), 1u)
          << type->field(i)->full_name();
    }
  }
}

}  // namespace
}  // namespace eoip::ctl
