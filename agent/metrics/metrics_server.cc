// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics_server.h"

#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/address.h"
#include "prometheus/collectable.h"
#include "prometheus/exposer.h"

namespace eoip {
namespace {

class SampledFamilies : public prometheus::Collectable {
 public:
  explicit SampledFamilies(MetricsServer::Sampler sampler)
      : sampler_(std::move(sampler)) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    return MakeFamilies(sampler_());
  }

 private:
  const MetricsServer::Sampler sampler_;
};

std::vector<std::string> ServerOptions(const std::string& address) {
  return {
      "listening_ports",
      address,
      // One thread each: a few that connect and say nothing, for as long as
      // the time-out, must not keep a scraper out.
      "num_threads",
      "5",
      "request_timeout_ms",
      "5000",
  };
}

bool IsAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  std::string host = text.substr(0, colon);
  const bool bracketed =
      host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool ipv6 = host.find(':') != std::string::npos;
  const std::string port = text.substr(colon + 1);
  uint32_t number = 0;
  return ipv6 == bracketed && IpAddress::Parse(host).ok() &&
         port.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535;
}

}  // namespace

absl::Status CheckMetricsAddress(const std::string& address) {
  if (IsAddress(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", address,
      "': ADDRESS:PORT, as 127.0.0.1:9101 or [::1]:9101, port 1..65535"));
}

class MetricsServer::Impl {
 public:
  Impl(const std::string& address, Sampler sampler)
      : families_(std::make_shared<SampledFamilies>(std::move(sampler))),
        exposer_(ServerOptions(address)) {
    exposer_.RegisterCollectable(families_);
  }
  int port() const { return exposer_.GetListeningPorts().front(); }

 private:
  const std::shared_ptr<SampledFamilies> families_;
  prometheus::Exposer exposer_;  // ends first: it asks families_
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

MetricsServer::~MetricsServer() = default;

int MetricsServer::port() const { return impl_->port(); }

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& address, Sampler sampler) {
  try {
    return std::unique_ptr<MetricsServer>(
        new MetricsServer(std::make_unique<Impl>(address, std::move(sampler))));
  } catch (const std::exception& error) {
    // CivetWeb does not say why.
    return absl::UnavailableError(absl::StrCat(
        "'", address, "': cannot listen there; is it in use, or no address ",
        "of this host? (", error.what(), ")"));
  }
}

}  // namespace eoip
