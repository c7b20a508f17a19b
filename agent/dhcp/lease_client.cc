// SPDX-License-Identifier: Apache-2.0
#include "dhcp/lease_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace eoip {
namespace {

// Shorter than RFC 2131's 4 s at first: a pod waits, and what comes twice has
// the same transaction id.
constexpr absl::Duration kFirstWait = absl::Milliseconds(500);
constexpr absl::Duration kLongestWait = absl::Seconds(64);
constexpr int kRequestTries = 4;
// A lease of seconds would keep a network busy with renewing it.
constexpr absl::Duration kShortestLease = absl::Seconds(4);

absl::Duration WaitAfter(int tries) {
  return std::min(kFirstWait * (1 << std::min(tries, 10)), kLongestWait);
}

}  // namespace

LeaseClient::LeaseClient(MacAddress mac, DhcpSpec spec,
                         std::function<uint32_t()> random)
    : mac_(mac), spec_(std::move(spec)), random_(std::move(random)) {}

bool LeaseClient::listening() const {
  return phase_ != Phase::kIdle && phase_ != Phase::kBound;
}

std::vector<std::string> LeaseClient::TakeFrames() {
  return std::exchange(frames_, {});
}

LeaseState LeaseClient::state() const {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kSelecting:
    case Phase::kRequesting:
      return LeaseState::kAcquiring;
    case Phase::kBound:
      return LeaseState::kBound;
    case Phase::kRenewing:
      return LeaseState::kRenewing;
    case Phase::kRebinding:
      return LeaseState::kRebinding;
  }
  return LeaseState::kAcquiring;
}

DhcpQuery LeaseClient::Query(DhcpType type) const {
  DhcpQuery query{.type = type};
  query.xid = xid_;
  query.mac = mac_;
  query.spec = spec_;
  return query;
}

void LeaseClient::Send(DhcpQuery query, absl::Time now) {
  query.secs = static_cast<uint16_t>(
      std::clamp<int64_t>(absl::ToInt64Seconds(now - began_), 0, 65535));
  sent_at_ = now;
  frames_.push_back(MakeFrame(query));
}

void LeaseClient::Begin(Phase phase, absl::Time now) {
  phase_ = phase;
  tries_ = 0;
  if (phase == Phase::kRequesting) return;  // goes on with the offer's
  xid_ = random_();
  began_ = now;
}

void LeaseClient::Start(absl::Time now, std::optional<IpAddress> wanted) {
  wanted_ = wanted;
  Begin(Phase::kSelecting, now);
  Discover(now);
}

void LeaseClient::Adopt(const Lease& lease, absl::Time now) {
  lease_ = lease;
  phase_ = Phase::kBound;
  next_ = std::min(lease.renew_at, lease.expires_at);
  if (next_ <= now) OnTime(now);
}

void LeaseClient::Discover(absl::Time now) {
  DhcpQuery query = Query(DhcpType::kDiscover);
  if (wanted_) query.requested = *wanted_;
  Send(query, now);
  next_ = now + WaitAfter(tries_++);
  if (tries_ > 1 && trouble_.empty()) trouble_ = "no DHCP server answers";
}

void LeaseClient::Request(absl::Time now) {
  DhcpQuery query = Query(DhcpType::kRequest);
  query.requested = offer_.lease.address;
  query.server = offer_.lease.server;
  Send(query, now);
  next_ = now + WaitAfter(tries_++);
}

void LeaseClient::Renew(absl::Time now) {
  DhcpQuery query = Query(DhcpType::kRequest);
  query.ciaddr = lease_->address;
  absl::Time until = lease_->expires_at;
  if (phase_ == Phase::kRenewing) {
    query.to = lease_->server;
    query.to_mac = lease_->server_mac;
    until = std::min(until, lease_->rebind_at);
  }
  Send(query, now);
  // Half of what is left, as RFC 2131 has it, though not too often.
  const absl::Duration least =
      std::clamp((lease_->expires_at - lease_->acquired_at) / 20,
                 absl::Seconds(1), absl::Seconds(60));
  next_ = std::min(until, now + std::max((until - now) / 2, least));
  if (++tries_ > 1) {
    trouble_ = phase_ == Phase::kRenewing
                   ? absl::StrCat("DHCP server ", lease_->server.ToString(),
                                  " does not answer")
                   : "no DHCP server answers";
  }
}

void LeaseClient::OnTime(absl::Time now) {
  if (now < next_) return;
  if (lease_ && now >= lease_->expires_at) {
    Lost(absl::StrCat("the lease of ", lease_->address.ToString(), " expired"),
         lease_->address, now);
    return;
  }
  switch (phase_) {
    case Phase::kIdle:
      next_ = absl::InfiniteFuture();
      break;
    case Phase::kSelecting:
      Discover(now);
      break;
    case Phase::kRequesting:
      if (tries_ < kRequestTries) {
        Request(now);
      } else {
        Start(now, wanted_);
      }
      break;
    case Phase::kBound:
    case Phase::kRenewing:
    case Phase::kRebinding: {
      const Phase phase =
          now >= lease_->rebind_at ? Phase::kRebinding : Phase::kRenewing;
      if (phase != phase_) Begin(phase, now);
      Renew(now);
      break;
    }
  }
}

void LeaseClient::OnFrame(absl::string_view frame, bool trust_checksum,
                          absl::Time now) {
  if (!listening()) return;
  const auto reply = ParseFrame(frame, mac_, trust_checksum);
  if (!reply.ok() || reply->xid != xid_) return;
  const bool asked_one =
      phase_ == Phase::kRequesting || phase_ == Phase::kRenewing;
  const IpAddress& asked = phase_ == Phase::kRequesting || !lease_
                               ? offer_.lease.server
                               : lease_->server;
  if (asked_one && reply->lease.server != asked) return;
  if (reply->type == DhcpType::kOffer) {
    if (phase_ == Phase::kSelecting) Select(*reply, now);
  } else if (phase_ == Phase::kSelecting) {
    return;
  } else if (reply->type == DhcpType::kAck) {
    Bind(*reply, now);
  } else {
    Refused(*reply, now);
  }
}

void LeaseClient::Select(const DhcpReply& offer, absl::Time now) {
  if (!offer.lease_time) return;  // BOOTP: nothing to keep
  offer_ = offer;
  Begin(Phase::kRequesting, now);
  Request(now);
}

void LeaseClient::Bind(const DhcpReply& ack, absl::Time now) {
  if (!ack.lease_time) return;
  // The server counts from its answer, this end from its question: it is the
  // first to let go.
  const absl::Time start = std::min(sent_at_, now);
  const absl::Duration time = std::max(*ack.lease_time, kShortestLease);
  const absl::Duration rebind = ack.rebinding_time.value_or(time * 7 / 8);
  const absl::Duration renew = ack.renewal_time.value_or(time / 2);
  Lease lease = ack.lease;
  lease.acquired_at = start;
  lease.expires_at = start + time;
  const bool sane =
      absl::ZeroDuration() < renew && renew < rebind && rebind < time;
  lease.rebind_at = start + (sane ? rebind : time * 7 / 8);
  lease.renew_at = start + (sane ? renew : time / 2);
  lease_ = std::move(lease);
  trouble_.clear();
  phase_ = Phase::kBound;
  next_ = lease_->renew_at;
}

void LeaseClient::Refused(const DhcpReply& nak, absl::Time now) {
  const std::string why = absl::StrCat(
      "DHCP server ", nak.lease.server.ToString(), " refused ",
      lease_ ? lease_->address.ToString() : offer_.lease.address.ToString(),
      nak.text.empty() ? "" : ": ", nak.text);
  Lost(why, std::nullopt, now);
}

void LeaseClient::Lost(absl::string_view why, std::optional<IpAddress> wanted,
                       absl::Time now) {
  lease_.reset();
  trouble_ = std::string(why);
  Start(now, wanted);
}

std::string LeaseClient::MakeRelease(const Lease& lease) {
  xid_ = random_();
  DhcpQuery query = Query(DhcpType::kRelease);
  query.ciaddr = lease.address;
  query.server = lease.server;
  query.to = lease.server;
  query.to_mac = lease.server_mac;
  return MakeFrame(query);
}

}  // namespace eoip
