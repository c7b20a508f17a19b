// SPDX-License-Identifier: Apache-2.0
//
// Resources as text: tables, one resource in full, JSON, YAML. Pure.
#ifndef EOIP_EOIPCTL_PRINT_H_
#define EOIP_EOIPCTL_PRINT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "eoip/v1/agent.pb.h"
#include "eoipctl/resource.h"

namespace eoip::ctl {

enum class Output { kTable, kWide, kJson, kYaml };

struct Style {
  Output output = Output::kTable;
  bool color = false;  // of states, in tables
  absl::Time now;      // for ages
};

using Messages = std::vector<std::unique_ptr<Message>>;

// Rows below titles, in columns two spaces apart; empty cells are "-". The
// last column is not padded. color: of the cells below STATE.
std::string FormatTable(const std::vector<std::string>& titles,
                        const std::vector<std::vector<std::string>>& rows,
                        bool color);

// The proto JSON form, indented or on one line without newline at its end.
std::string ToJson(const Message& message, bool indented);

// The same document as YAML. json must be valid JSON.
std::string JsonToYaml(absl::string_view json);

// A JSON text, as it is or as YAML, ended by a newline.
std::string Render(absl::string_view json, Output output);

// json one level deeper (all but its first line; a JSON string has no newline).
std::string IndentJson(absl::string_view json);

// "[...]" of messages.
std::string JsonArray(const Messages& messages);

// A list: table with titles, array, or "no tunnels" where it is empty.
std::string FormatList(const Resource& resource, const Messages& messages,
                       const Style& style);

// One resource: every property and the whole status, or its JSON or YAML.
std::string FormatOne(const Resource& resource, const Message& message,
                      const Style& style);

// The agent: version, readiness, datapaths, problems.
std::string FormatAgent(const v1::AgentStatus& status, const Style& style);

// Workers of eoip-tapd: one row each; wide: also the sizes of batches.
std::string FormatWorkers(const v1::ListWorkersResponse& list,
                          const Style& style);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_PRINT_H_
