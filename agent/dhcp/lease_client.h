// SPDX-License-Identifier: Apache-2.0
//
// The client's side of DHCPv4 for one pod (RFC 2131, section 4.4), as a machine
// without sockets and without a clock: time and frames come in, frames go out.
// Pure. Not thread-safe.
#ifndef EOIP_DHCP_LEASE_CLIENT_H_
#define EOIP_DHCP_LEASE_CLIENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dhcp/message.h"
#include "model/lease.h"

namespace eoip {

class LeaseClient {
 public:
  // random: 32 bits that nobody guesses, for each transaction.
  LeaseClient(MacAddress mac, DhcpSpec spec, std::function<uint32_t()> random);

  // Begins to look for a server. wanted: the address that the client had
  // before, if any; the server may give another one.
  void Start(absl::Time now, std::optional<IpAddress> wanted);
  // Goes on with a lease that it had before a restart. Sends nothing before
  // the lease asks for that.
  void Adopt(const Lease& lease, absl::Time now);

  // A frame that came in; anything that is no answer to what was asked is
  // passed over.
  void OnFrame(absl::string_view frame, bool trust_checksum, absl::Time now);
  // To be called at next() or later.
  void OnTime(absl::Time now);
  absl::Time next() const { return next_; }

  // Whether an answer is being waited for.
  bool listening() const;
  // Takes the frames that are to be sent, oldest first.
  std::vector<std::string> TakeFrames();
  // The frame that gives the lease back; no answer comes.
  std::string MakeRelease(const Lease& lease);

  LeaseState state() const;
  // Absent: the pod may use no address.
  const std::optional<Lease>& lease() const { return lease_; }
  // Why it has no lease, or why it is not renewed; empty: nothing to say.
  const std::string& trouble() const { return trouble_; }

 private:
  enum class Phase {
    kIdle,
    kSelecting,
    kRequesting,
    kBound,
    kRenewing,
    kRebinding
  };

  void Discover(absl::Time now);
  void Select(const DhcpReply& offer, absl::Time now);
  void Request(absl::Time now);
  void Renew(absl::Time now);
  void Bind(const DhcpReply& ack, absl::Time now);
  void Refused(const DhcpReply& nak, absl::Time now);
  void Lost(absl::string_view why, std::optional<IpAddress> wanted,
            absl::Time now);
  void Begin(Phase phase, absl::Time now);
  void Send(DhcpQuery query, absl::Time now);
  DhcpQuery Query(DhcpType type) const;

  const MacAddress mac_;
  const DhcpSpec spec_;
  const std::function<uint32_t()> random_;

  Phase phase_ = Phase::kIdle;
  absl::Time next_ = absl::InfiniteFuture();
  uint32_t xid_ = 0;
  absl::Time began_;    // of the transaction
  absl::Time sent_at_;  // of the last request
  int tries_ = 0;       // in this phase
  std::optional<IpAddress> wanted_;
  DhcpReply offer_{};  // that is being requested
  std::optional<Lease> lease_;
  std::string trouble_;
  std::vector<std::string> frames_;
};

}  // namespace eoip

#endif  // EOIP_DHCP_LEASE_CLIENT_H_
