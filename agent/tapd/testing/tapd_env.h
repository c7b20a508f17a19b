// SPDX-License-Identifier: Apache-2.0
//
// A site in two namespaces: the host with the real eoip-tapd, and the peer,
// which is the test itself on the other end of a veth pair. The peer's kernel
// has no IP address there, so only the test answers.
#ifndef EOIP_TAPD_TESTING_TAPD_ENV_H_
#define EOIP_TAPD_TESTING_TAPD_ENV_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eoip/tapd/v1/tapd.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tapd/testing/netns.h"
#include "tapd/testing/packets.h"

namespace eoip::tapd::testing {

inline constexpr char kHost4[] = "192.0.2.1";
inline constexpr char kPeer4[] = "192.0.2.2";
inline constexpr char kOther4[] = "192.0.2.3";
inline constexpr char kHost6[] = "2001:db8::1";
inline constexpr char kPeer6[] = "2001:db8::2";
inline constexpr char kOther6[] = "2001:db8::3";

// True once condition holds, false when the time is over.
bool WaitUntil(const std::function<bool()>& condition,
               std::chrono::milliseconds timeout = std::chrono::seconds(5));

// A running eoip-tapd and a client of it.
class TapdProcess {
 public:
  // prepare runs in the child before exec.
  TapdProcess(const Netns& netns, const std::string& socket,
              const std::vector<std::string>& flags = {},
              const std::function<void()>& prepare = nullptr);
  ~TapdProcess();

  bool WaitReady();
  v1::TapdService::Stub& stub() { return *stub_; }
  pid_t pid() const { return pid_; }

  grpc::Status Put(const v1::TunnelConfig& config,
                   v1::TapTunnel* tunnel = nullptr);
  // The tunnel as listed; empty name: there is none.
  v1::TapTunnel Get(const std::string& name);
  v1::Info Info();
  grpc::Status Delete(const std::vector<std::string>& names);

  // Sends the signal and waits for the end: the exit code, -1: none in time.
  int Stop(int signal_number);

 private:
  pid_t pid_ = -1;
  std::unique_ptr<v1::TapdService::Stub> stub_;
};

v1::TunnelConfig MakeConfig(const std::string& name, uint32_t id, bool ipv6,
                            const std::string& remote,
                            const std::string& local = "");

class TapdTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void StartTapd(const std::vector<std::string>& flags = {},
                 const std::function<void()>& prepare = nullptr);
  // Puts the tunnel, sets its TAP up and opens a socket on it.
  std::unique_ptr<LinkSocket> Tap(const v1::TunnelConfig& config);

  // What the peer sends: an outer packet whole, as fragments where large.
  void SendFromPeer(const Bytes& ip_packet);
  // EoIP or EoIPv6 from the peer's right address.
  void SendEoip(bool ipv6, const Bytes& eoip, const OuterOptions& options = {});
  // The next EoIP packet that the host sent.
  std::optional<IpPacket> FromHost(
      bool ipv6, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  bool HasCarrier(const std::string& link);

  std::string dir_;
  std::string socket_;
  std::optional<Netns> host_;
  std::optional<Netns> peer_;
  std::unique_ptr<LinkSocket> wire_;
  Bytes to_host_mac_;
  std::unique_ptr<TapdProcess> tapd_;
};

}  // namespace eoip::tapd::testing

#endif  // EOIP_TAPD_TESTING_TAPD_ENV_H_
