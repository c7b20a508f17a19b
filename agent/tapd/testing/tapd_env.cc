// SPDX-License-Identifier: Apache-2.0
#include "tapd/testing/tapd_env.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace eoip::tapd::testing {
namespace {

constexpr char kHostMac[] = "020000000001";
constexpr char kPeerMac[] = "020000000002";

}  // namespace

bool WaitUntil(const std::function<bool()>& condition,
               std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

TapdProcess::TapdProcess(const Netns& netns, const std::string& socket,
                         const std::vector<std::string>& flags,
                         const std::function<void()>& prepare) {
  std::vector<std::string> argv = {TAPD_BINARY, "--socket", socket};
  argv.insert(argv.end(), flags.begin(), flags.end());
  if (const char* workers = ::getenv("TAPD_WORKERS")) {
    argv.insert(argv.end(), {"--workers", workers});
  }
  pid_ = netns.Spawn(argv, prepare);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
  stub_ = v1::TapdService::NewStub(grpc::CreateCustomChannel(
      "unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
}

TapdProcess::~TapdProcess() {
  if (pid_ > 0) Stop(SIGKILL);
}

bool TapdProcess::WaitReady() {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  v1::Info info;
  return stub_->GetInfo(&context, {}, &info).ok();
}

grpc::Status TapdProcess::Put(const v1::TunnelConfig& config,
                              v1::TapTunnel* tunnel) {
  grpc::ClientContext context;
  v1::PutTunnelRequest request;
  *request.mutable_config() = config;
  v1::TapTunnel ignored;
  return stub_->PutTunnel(&context, request,
                          tunnel != nullptr ? tunnel : &ignored);
}

v1::TapTunnel TapdProcess::Get(const std::string& name) {
  grpc::ClientContext context;
  v1::ListTunnelsRequest request;
  request.add_names(name);
  v1::ListTunnelsResponse response;
  const grpc::Status status = stub_->ListTunnels(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.tunnels_size() == 1 ? response.tunnels(0) : v1::TapTunnel();
}

v1::Info TapdProcess::Info() {
  grpc::ClientContext context;
  v1::Info info;
  const grpc::Status status = stub_->GetInfo(&context, {}, &info);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return info;
}

grpc::Status TapdProcess::Delete(const std::vector<std::string>& names) {
  grpc::ClientContext context;
  v1::DeleteTunnelsRequest request;
  request.mutable_names()->Assign(names.begin(), names.end());
  v1::DeleteTunnelsResponse response;
  return stub_->DeleteTunnels(&context, request, &response);
}

int TapdProcess::Stop(int signal_number) {
  ::kill(pid_, signal_number);
  int status = 0;
  const bool ended =
      WaitUntil([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; },
                std::chrono::seconds(30));
  if (!ended) {
    ADD_FAILURE() << "eoip-tapd did not end";
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

v1::TunnelConfig MakeConfig(const std::string& name, uint32_t id, bool ipv6,
                            const std::string& remote,
                            const std::string& local) {
  v1::TunnelConfig config;
  config.set_name(name);
  config.set_ipv6(ipv6);
  config.set_tunnel_id(id);
  const auto set = [ipv6](const std::string& text, std::string* out) {
    char bytes[16];
    ::inet_pton(ipv6 ? AF_INET6 : AF_INET, text.c_str(), bytes);
    out->assign(bytes, ipv6 ? 16 : 4);
  };
  set(remote, config.mutable_remote());
  if (!local.empty()) set(local, config.mutable_local());
  config.set_mac(std::string("\x02\x00\x00\x00\x00\xaa", 6));
  config.set_ttl(255);
  config.set_mtu(1500);
  return config;
}

void TapdTest::SetUp() {
  absl::StatusOr<Netns> host = Netns::Create();
  if (!host.ok()) {
    GTEST_SKIP() << "needs network namespaces: " << host.status();
  }
  absl::StatusOr<Netns> peer = Netns::Create();
  ASSERT_TRUE(peer.ok()) << peer.status();
  host_ = std::move(*host);
  peer_ = std::move(*peer);
  char dir[] = "/tmp/tapd-test-XXXXXX";
  ASSERT_NE(::mkdtemp(dir), nullptr);
  dir_ = dir;
  socket_ = dir_ + "/tapd.sock";
  const std::string peer_ns = "/proc/" + std::to_string(::getpid()) + "/fd/" +
                              std::to_string(peer_->fd());
  ASSERT_TRUE(host_->Exec(
      "ip link add under0 address 02:00:00:00:00:01 mtu 1500 type veth peer "
      "name wire0 address 02:00:00:00:00:02 mtu 1500 netns " +
      peer_ns +
      " && sysctl -qw net.ipv6.conf.under0.accept_dad=0"
      " net.ipv6.conf.under0.router_solicitations=0"
      " && ip link set under0 up && ip addr add 192.0.2.1/24 dev under0"
      " && ip addr add 2001:db8::1/64 dev under0 nodad"));
  ASSERT_TRUE(
      peer_->Exec("sysctl -qw net.ipv6.conf.wire0.disable_ipv6=1 && "
                  "ip link set wire0 up"));
  for (const char* address :
       {"192.0.2.2", "192.0.2.3", "2001:db8::2", "2001:db8::3"}) {
    ASSERT_TRUE(host_->Exec(std::string("ip neigh add ") + address +
                            " lladdr 02:00:00:00:00:02 dev under0 "
                            "nud permanent"));
  }
  wire_ = std::make_unique<LinkSocket>(*peer_, "wire0");
}

void TapdTest::TearDown() {
  tapd_.reset();
  if (!dir_.empty()) std::filesystem::remove_all(dir_);
}

void TapdTest::StartTapd(const std::vector<std::string>& flags,
                         const std::function<void()>& prepare) {
  tapd_ = std::make_unique<TapdProcess>(*host_, socket_, flags, prepare);
  ASSERT_TRUE(tapd_->WaitReady());
}

std::unique_ptr<LinkSocket> TapdTest::Tap(const v1::TunnelConfig& config) {
  const grpc::Status status = tapd_->Put(config);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(host_->Exec("sysctl -qw net.ipv6.conf." + config.name() +
                          ".disable_ipv6=1 && ip link set " + config.name() +
                          " up"));
  return std::make_unique<LinkSocket>(*host_, config.name());
}

void TapdTest::SendFromPeer(const Bytes& ip_packet) {
  const bool ipv6 = ip_packet[0] >> 4 == 6;
  const Bytes ethernet =
      FromHex(std::string(kHostMac) + kPeerMac + (ipv6 ? "86dd" : "0800"));
  if (ip_packet.size() <= 1500) {
    wire_->Send(Concat(ethernet, ip_packet));
    return;
  }
  for (const Bytes& fragment : Fragment(ip_packet, 1400)) {
    wire_->Send(Concat(ethernet, fragment));
  }
}

void TapdTest::SendEoip(bool ipv6, const Bytes& eoip,
                        const OuterOptions& options) {
  SendFromPeer(ipv6 ? MakeIpv6(kPeer6, kHost6, 97, eoip, options)
                    : MakeIpv4(kPeer4, kHost4, 47, eoip, options));
}

std::optional<IpPacket> TapdTest::FromHost(bool ipv6,
                                           std::chrono::milliseconds timeout) {
  return wire_->ReceiveIp(ipv6 ? 97 : 47, timeout);
}

bool TapdTest::HasCarrier(const std::string& link) {
  return host_->Output("ip link show " + link).find("LOWER_UP") !=
         std::string::npos;
}

}  // namespace eoip::tapd::testing
