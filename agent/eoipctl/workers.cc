// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "eoipctl/session.h"

namespace eoip::ctl {
namespace {

std::string PerCall(const v1::WorkerTraffic& traffic) {
  if (traffic.batches() == 0) return "";
  return absl::StrFormat("%.1f", static_cast<double>(traffic.packets()) /
                                     static_cast<double>(traffic.batches()));
}

// "1:20 2-3:4 128+:1", sizes that never occurred left out.
std::string Sizes(const v1::WorkerTraffic& traffic) {
  std::vector<std::string> parts;
  for (int i = 0; i < traffic.batch_sizes_size(); ++i) {
    if (traffic.batch_sizes(i) == 0) continue;
    const uint64_t first = uint64_t{1} << i;
    std::string range = absl::StrCat(first);
    if (i + 1 == traffic.batch_sizes_size()) {
      absl::StrAppend(&range, "+");
    } else if (i > 0) {
      absl::StrAppend(&range, "-", 2 * first - 1);
    }
    parts.push_back(absl::StrCat(range, ":", traffic.batch_sizes(i)));
  }
  return absl::StrJoin(parts, " ");
}

std::string Causes(const v1::Worker& worker) {
  std::vector<std::string> parts;
  for (const auto& [cause, count] : worker.drops()) {
    parts.push_back(absl::StrCat(cause, ":", count));
  }
  std::sort(parts.begin(), parts.end());
  return absl::StrJoin(parts, " ");
}

}  // namespace

std::string FormatWorkers(const v1::ListWorkersResponse& list,
                          const Style& style) {
  if (style.output == Output::kJson || style.output == Output::kYaml) {
    return Render(ToJson(list, /*indented=*/true), style.output);
  }
  if (list.workers().empty()) return "no workers\n";
  std::vector<std::string> titles = {
      "WORKER",   "RX-PACKETS",  "RX-BYTES", "RX-PER-CALL", "TX-PACKETS",
      "TX-BYTES", "TX-PER-CALL", "WAITS",    "IDLE-POLLS",  "DROPS"};
  const bool wide = style.output == Output::kWide;
  if (wide) titles.insert(titles.end(), {"RX-BATCHES", "TX-BATCHES"});
  std::vector<std::vector<std::string>> rows;
  for (const v1::Worker& worker : list.workers()) {
    const v1::WorkerTraffic& rx = worker.rx();
    const v1::WorkerTraffic& tx = worker.tx();
    std::vector<std::string>& row = rows.emplace_back();
    row = {absl::StrCat(worker.index()),
           absl::StrCat(rx.packets()),
           absl::StrCat(rx.bytes()),
           PerCall(rx),
           absl::StrCat(tx.packets()),
           absl::StrCat(tx.bytes()),
           PerCall(tx),
           absl::StrCat(worker.waits()),
           absl::StrCat(worker.idle_polls()),
           Causes(worker)};
    if (wide) row.insert(row.end(), {Sizes(rx), Sizes(tx)});
  }
  return FormatTable(titles, rows, /*color=*/false);
}

int RunWorkers(Session& session) {
  const auto stub = v1::AgentService::NewStub(session.channel());
  grpc::ClientContext context;
  client::SetDeadline(absl::Now() + session.options.timeout, &context);
  v1::ListWorkersResponse list;
  const absl::Status status = client::ToStatus(
      stub->ListWorkers(&context, v1::ListWorkersRequest(), &list),
      session.path());
  if (!status.ok()) return session.Fail(nullptr, status);
  session.console.out << FormatWorkers(list, session.style());
  return kExitOk;
}

}  // namespace eoip::ctl
