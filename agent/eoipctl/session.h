// SPDX-License-Identifier: Apache-2.0
//
// One run of a command: what was asked for, where output goes, the way to the
// agent, and the exit codes.
#ifndef EOIP_EOIPCTL_SESSION_H_
#define EOIP_EOIPCTL_SESSION_H_

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/resource_client.h"
#include "eoipctl/print.h"
#include "eoipctl/resource.h"

namespace eoip::ctl {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,    // the agent refused, or what was wanted FAILED
  kExitUsage = 2,     // the command line is wrong; nothing was sent
  kExitTimedOut = 3,  // of --wait or --timeout
};

struct Options {
  std::string socket;  // --socket, empty: environment or default
  absl::Duration timeout = absl::Seconds(10);
  Output output = Output::kTable;
  std::optional<absl::Duration> wait;
  std::string wait_for;  // --for, a state's word; empty: active or disabled
  std::string etag;
  bool dry_run = false;
  bool if_exists = false;
  bool or_update = false;
  std::vector<std::string> args;  // names and properties
};

struct Console {
  std::ostream& out;
  std::ostream& err;
  bool color = false;
};

class Session {
 public:
  Session(const Options& the_options, const Console& the_console)
      : options(the_options), console(the_console) {}

  const Options& options;
  const Console& console;

  // The agent's socket and a channel to it; INVALID_ARGUMENT: --socket.
  absl::Status Open();
  // After Open.
  std::unique_ptr<client::ResourceClient> ClientOf(
      const Resource& resource) const;
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const std::string& path() const { return path_; }

  Style style() const;
  // Print "eoipctl: ..." on stderr and give the exit code.
  int Usage(absl::string_view message) const;
  // resource: for the word of the field that the message is about, or nullptr.
  int Fail(const Resource* resource, const absl::Status& status) const;

 private:
  std::string path_;
  std::shared_ptr<grpc::Channel> channel_;
};

// The commands. options.args are read by each; the session is open.
int RunCreate(Session& session, const Resource& resource);
int RunGet(Session& session, const Resource& resource);
int RunList(Session& session, const Resource& resource);
int RunUpdate(Session& session, const Resource& resource);
int RunDelete(Session& session, const Resource& resource);
int RunWatch(Session& session, const Resource& resource);
int RunStatus(Session& session);
int RunOverview(Session& session);
int RunWorkers(Session& session);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_SESSION_H_
