// SPDX-License-Identifier: Apache-2.0
//
// Drives eoip-tapd by hand or from scripts of tests; users have eoipctl.
//   tapctl SOCKET put name=t0 id=1 remote=192.0.2.2 [local=…] [mtu=1500]
//                 [mac=02:…] [keepalive=10,10] [clamp=1] [no-offload=1]
//   tapctl SOCKET delete NAME…
//   tapctl SOCKET list [NAME…]
//   tapctl SOCKET info
#include <arpa/inet.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "eoip/tapd/v1/tapd.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace eoip::tapd {
namespace {

bool SetAddress(absl::string_view text, v1::TunnelConfig* config,
                std::string* out) {
  char bytes[16];
  const std::string address(text);
  if (::inet_pton(AF_INET, address.c_str(), bytes) == 1) {
    out->assign(bytes, 4);
    return true;
  }
  if (::inet_pton(AF_INET6, address.c_str(), bytes) != 1) return false;
  out->assign(bytes, 16);
  config->set_ipv6(true);
  return true;
}

bool SetMac(absl::string_view text, std::string* out) {
  out->clear();
  for (absl::string_view part : absl::StrSplit(text, ':')) {
    uint32_t byte;
    if (!absl::SimpleHexAtoi(part, &byte) || byte > 255) return false;
    out->push_back(static_cast<char>(byte));
  }
  return out->size() == 6;
}

bool SetField(absl::string_view key, absl::string_view value,
              v1::TunnelConfig* config) {
  if (key == "name") {
    config->set_name(std::string(value));
    return true;
  }
  if (key == "remote") {
    return SetAddress(value, config, config->mutable_remote());
  }
  if (key == "local") {
    return SetAddress(value, config, config->mutable_local());
  }
  if (key == "mac") return SetMac(value, config->mutable_mac());
  if (key == "keepalive") {
    const std::vector<std::string> parts = absl::StrSplit(value, ',');
    uint32_t interval, retries;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &interval) ||
        !absl::SimpleAtoi(parts[1], &retries)) {
      return false;
    }
    config->set_keepalive_interval_s(interval);
    config->set_keepalive_retries(retries);
    return true;
  }
  uint32_t number;
  if (!absl::SimpleAtoi(value, &number)) return false;
  if (key == "id") {
    config->set_tunnel_id(number);
  } else if (key == "mtu") {
    config->set_mtu(number);
  } else if (key == "clamp") {
    config->set_clamp_tcp_mss(number != 0);
  } else if (key == "no-offload") {
    config->set_no_offload(number != 0);
  } else {
    return false;
  }
  return true;
}

int Report(const grpc::Status& status, const google::protobuf::Message& reply) {
  if (!status.ok()) {
    std::fprintf(stderr, "tapctl: %s\n", status.error_message().c_str());
    return 1;
  }
  std::fputs(reply.DebugString().c_str(), stdout);
  return 0;
}

int Main(const std::vector<std::string>& args) {
  if (args.size() < 2) {
    std::fputs("usage: tapctl SOCKET put|delete|list|info [ARG…]\n", stderr);
    return 2;
  }
  auto stub = v1::TapdService::NewStub(grpc::CreateChannel(
      "unix:" + args[0], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  const std::vector<std::string> rest(args.begin() + 2, args.end());
  if (args[1] == "put") {
    v1::PutTunnelRequest request;
    v1::TunnelConfig* config = request.mutable_config();
    config->set_ttl(255);
    config->set_mtu(1500);
    for (const std::string& arg : rest) {
      const std::pair<std::string, std::string> kv =
          absl::StrSplit(arg, absl::MaxSplits('=', 1));
      if (!SetField(kv.first, kv.second, config)) {
        std::fprintf(stderr, "tapctl: %s: not understood\n", arg.c_str());
        return 2;
      }
    }
    v1::TapTunnel reply;
    return Report(stub->PutTunnel(&context, request, &reply), reply);
  }
  if (args[1] == "delete") {
    v1::DeleteTunnelsRequest request;
    request.mutable_names()->Assign(rest.begin(), rest.end());
    v1::DeleteTunnelsResponse reply;
    return Report(stub->DeleteTunnels(&context, request, &reply), reply);
  }
  if (args[1] == "list") {
    v1::ListTunnelsRequest request;
    request.mutable_names()->Assign(rest.begin(), rest.end());
    v1::ListTunnelsResponse reply;
    return Report(stub->ListTunnels(&context, request, &reply), reply);
  }
  if (args[1] == "info") {
    v1::Info reply;
    return Report(stub->GetInfo(&context, {}, &reply), reply);
  }
  std::fprintf(stderr, "tapctl: %s: no such command\n", args[1].c_str());
  return 2;
}

}  // namespace
}  // namespace eoip::tapd

int main(int argc, char** argv) {
  return eoip::tapd::Main(std::vector<std::string>(argv + 1, argv + argc));
}
