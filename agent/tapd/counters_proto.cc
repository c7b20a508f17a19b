// SPDX-License-Identifier: Apache-2.0
#include "tapd/counters_proto.h"

namespace eoip::tapd {

void AddDrops(const DropCounters& drops, DropsProto* out) {
  for (int i = 0; i < kDropCauses; ++i) {
    const Drop drop = static_cast<Drop>(i);
    const uint64_t count = drops.Get(drop);
    if (count > 0) (*out)[std::string(DropName(drop))] += count;
  }
}

void RestoreDrops(const DropsProto& drops, DropCounters* out) {
  for (int i = 0; i < kDropCauses; ++i) {
    const Drop drop = static_cast<Drop>(i);
    const auto it = drops.find(std::string(DropName(drop)));
    if (it != drops.end()) out->Add(drop, it->second);
  }
}

void AddCounters(const TunnelCounters& c, v1::Counters* out) {
  out->set_rx_packets(out->rx_packets() + c.rx_packets.Get());
  out->set_rx_bytes(out->rx_bytes() + c.rx_bytes.Get());
  out->set_tx_packets(out->tx_packets() + c.tx_packets.Get());
  out->set_tx_bytes(out->tx_bytes() + c.tx_bytes.Get());
  out->set_rx_keepalives(out->rx_keepalives() + c.rx_keepalives.Get());
  out->set_tx_keepalives(out->tx_keepalives() + c.tx_keepalives.Get());
  out->set_tx_super_frames(out->tx_super_frames() + c.tx_super_frames.Get());
  out->set_rx_super_frames(out->rx_super_frames() + c.rx_super_frames.Get());
  out->set_rx_clamped(out->rx_clamped() + c.rx_clamped.Get());
  out->set_tx_fast_packets(out->tx_fast_packets() + c.tx_fast_packets.Get());
  AddDrops(c.drops, out->mutable_drops());
}

void RestoreCounters(const v1::Counters& counters, TunnelCounters* out) {
  out->rx_packets.Add(counters.rx_packets());
  out->rx_bytes.Add(counters.rx_bytes());
  out->tx_packets.Add(counters.tx_packets());
  out->tx_bytes.Add(counters.tx_bytes());
  out->rx_keepalives.Add(counters.rx_keepalives());
  out->tx_keepalives.Add(counters.tx_keepalives());
  out->tx_super_frames.Add(counters.tx_super_frames());
  out->rx_super_frames.Add(counters.rx_super_frames());
  out->rx_clamped.Add(counters.rx_clamped());
  out->tx_fast_packets.Add(counters.tx_fast_packets());
  RestoreDrops(counters.drops(), &out->drops);
}

void FillWorkerInfo(const BatchCounters& rx, const BatchCounters& tx,
                    v1::WorkerInfo* out) {
  out->set_rx_batches(rx.batches.Get());
  out->set_rx_packets(rx.packets.Get());
  out->set_tx_batches(tx.batches.Get());
  out->set_tx_packets(tx.packets.Get());
  out->set_rx_bytes(rx.bytes.Get());
  out->set_tx_bytes(tx.bytes.Get());
  for (const Counter& count : rx.sizes) out->add_rx_batch_sizes(count.Get());
  for (const Counter& count : tx.sizes) out->add_tx_batch_sizes(count.Get());
}

void RestoreWorkerInfo(const v1::WorkerInfo& info, BatchCounters* rx,
                       BatchCounters* tx) {
  rx->batches.Add(info.rx_batches());
  rx->packets.Add(info.rx_packets());
  tx->batches.Add(info.tx_batches());
  tx->packets.Add(info.tx_packets());
  rx->bytes.Add(info.rx_bytes());
  tx->bytes.Add(info.tx_bytes());
  for (size_t i = 0; i < rx->sizes.size(); ++i) {
    const int at = static_cast<int>(i);
    if (at < info.rx_batch_sizes_size()) {
      rx->sizes[i].Add(info.rx_batch_sizes(at));
    }
    if (at < info.tx_batch_sizes_size()) {
      tx->sizes[i].Add(info.tx_batch_sizes(at));
    }
  }
}

}  // namespace eoip::tapd
