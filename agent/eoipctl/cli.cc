// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

constexpr char kDefaultWait[] = "30s";

// Which options and arguments a verb takes.
enum Takes : unsigned {
  kWait = 1,
  kDryRun = 2,
  kEtag = 4,
  kIfExists = 8,
  kOrUpdate = 16,
  kProperties = 32,  // NAME word=value...
  kOneName = 64,
  kNames = 128,
  kOptionalName = 256,
  kNetwork = 512,  // list: of attachments
};

struct Verb {
  const char* name;
  std::vector<const char*> aliases;
  const char* what;
  unsigned takes;
  int (*run)(Session& session, const Resource& resource);
};

const std::vector<Verb>& Verbs() {
  static const auto& verbs = *new std::vector<Verb>{
      {"create",
       {"add"},
       "make a new one",
       kProperties | kWait | kDryRun | kOrUpdate,
       RunCreate},
      {"get", {"show"}, "show one in full", kOneName | kWait, RunGet},
      {"list", {"ls", "print"}, "show all in a table", kNetwork, RunList},
      {"update",
       {"set"},
       "change the named properties, and only them",
       kProperties | kWait | kDryRun | kEtag,
       RunUpdate},
      {"delete",
       {"remove", "rm"},
       "delete one or more",
       kNames | kWait | kDryRun | kEtag | kIfExists,
       RunDelete},
      {"watch",
       {"monitor"},
       "print each change until interrupted",
       kOptionalName,
       RunWatch},
  };
  return verbs;
}

// What CLI11 fills: text that is checked after parsing.
struct Typed {
  Options options;
  std::string output = "table";
  std::string timeout = "10s";
  std::string wait;
  bool version = false;
};

void AddCommonOptions(CLI::App* app, Typed* typed) {
  app->add_option("-o,--output", typed->output,
                  "table, wide, json or yaml; default table")
      ->type_name("FORMAT");
  app->add_option(
         "--socket", typed->options.socket,
         absl::StrCat("of eoip-agent; default $", client::kSocketVariable,
                      " or ", client::kDefaultSocket))
      ->type_name("PATH");
  app->add_option("--timeout", typed->timeout, "of each request; default 10s")
      ->type_name("TIME");
}

void AddVerbOptions(CLI::App* app, const Resource& resource, unsigned takes,
                    Typed* typed) {
  Options& options = typed->options;
  if (takes & kWait) {
    app->add_option("--wait", typed->wait,
                    absl::StrCat("until it is active (or deleted); exit 1 if "
                                 "it fails, 3 when the time is over; default ",
                                 kDefaultWait))
        ->type_name("[=TIME]");
    if (!(takes & kNames)) {
      app->add_option("--for", options.wait_for,
                      "the state that --wait waits for, such as peer-down")
          ->type_name("STATE")
          ->needs("--wait");
    }
  }
  if (takes & kDryRun) {
    app->add_flag("--dry-run", options.dry_run,
                  "let the agent check all and change nothing");
  }
  if (takes & kEtag) {
    app->add_option("--etag", options.etag, "only if it is unchanged since")
        ->type_name("ETAG");
  }
  if (takes & kIfExists) {
    app->add_flag("--if-exists", options.if_exists,
                  "no error where it does not exist");
  }
  if (takes & kOrUpdate) {
    app->add_flag("--or-update", options.or_update,
                  "where it exists, make it what is said here (what is not "
                  "said gets its default)");
  }
  const std::string name = resource.name_form;
  if (takes & kProperties) {
    app->add_option("arguments", options.args,
                    absl::StrCat(name, " word=value... !word..."))
        ->type_name("");
  } else if (takes & kOneName) {
    app->add_option("name", options.args, name)
        ->required()
        ->expected(1)
        ->type_name("");
  } else if (takes & kNames) {
    app->add_option("names", options.args, absl::StrCat(name, "..."))
        ->required()
        ->type_name("");
  } else if (takes & kOptionalName) {
    app->add_option("name", options.args,
                    &resource == &Attachments()
                        ? "only this one, or only this network's"
                        : "only this one")
        ->expected(0, 1)
        ->type_name("");
  } else if (takes & kNetwork && &resource == &Attachments()) {
    app->add_option("network", options.args, "only this network's")
        ->expected(0, 1)
        ->type_name("");
  }
}

std::string Indented(absl::string_view text) {
  std::string lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&lines, "  ", line, "\n");
  }
  return lines;
}

std::string Footer(const Resource& resource, const Verb& verb) {
  std::string text;
  if (verb.takes & kProperties) {
    absl::StrAppend(&text, "Properties:\n");
    for (const Property& property : resource.properties) {
      absl::StrAppendFormat(&text, "  %-27s %s\n  %-27s   %s\n",
                            absl::StrCat(property.word, "="), property.help, "",
                            property.values);
    }
    absl::StrAppend(&text,
                    "  A time is 10s, 1m30s or 00:00:10. !word is the default "
                    "again (quote it: the shell reads '!').\n\n");
  }
  for (const Example& example : resource.examples) {
    if (example.verb != verb.name) continue;
    absl::StrAppend(&text, "Examples:\n", Indented(example.text));
  }
  return text;
}

using Command = std::function<int(Session&)>;

void AddResource(const Resource& resource, CLI::App* app, Typed* typed,
                 Command* selected) {
  CLI::App* noun = app->add_subcommand(resource.noun, resource.what);
  noun->alias(resource.plural);
  noun->require_subcommand(1);
  std::string examples;
  for (const Example& example : resource.examples) {
    absl::StrAppend(&examples, Indented(example.text));
  }
  noun->footer(absl::StrCat("Examples:\n", examples));
  for (const Verb& verb : Verbs()) {
    CLI::App* leaf = noun->add_subcommand(verb.name, verb.what);
    for (const char* alias : verb.aliases) leaf->alias(alias);
    AddVerbOptions(leaf, resource, verb.takes, typed);
    AddCommonOptions(leaf, typed);
    leaf->footer(Footer(resource, verb));
    leaf->final_callback([&verb, &resource, selected] {
      *selected = [&verb, &resource](Session& session) {
        return verb.run(session, resource);
      };
    });
  }
}

void Build(CLI::App* app, Typed* typed, Command* selected) {
  app->require_subcommand(0, 1);
  app->footer(
      "Without a command: the state of everything.\n"
      "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 timed out.\n\n"
      "Examples:\n"
      "  eoipctl\n"
      "  eoipctl tunnel create eoip7 kind=eoip remote-address=192.0.2.1 "
      "tunnel-id=7 --wait\n"
      "  eoipctl network create lan ports=eoip7\n"
      "  eoipctl tunnel list -o wide\n");
  app->add_flag("--version", typed->version, "print the version");
  AddCommonOptions(app, typed);
  for (const Resource* resource : {&Tunnels(), &Networks(), &Attachments()}) {
    AddResource(*resource, app, typed, selected);
  }
  CLI::App* status = app->add_subcommand(
      "status", "show the agent; exit 1 while it is not ready");
  status
      ->add_option("--wait", typed->wait,
                   absl::StrCat("until it is there and ready; exit 3 when "
                                "the time is over; default ",
                                kDefaultWait))
      ->type_name("[=TIME]");
  AddCommonOptions(status, typed);
  status->footer("Examples:\n  eoipctl status --wait=10s\n");
  CLI::App* worker = app->add_subcommand(
      "worker", "forwarding threads of eoip-tapd, the user-space datapath");
  worker->alias("workers");
  worker->require_subcommand(1);
  CLI::App* list = worker->add_subcommand("list", "what each has done");
  list->alias("ls")->alias("print");
  AddCommonOptions(list, typed);
  list->footer(
      "Bytes are those behind the outer IP header. DROPS: packets that belong "
      "to no\ntunnel (those of a tunnel: eoipctl tunnel get NAME).\n"
      "Examples:\n  eoipctl worker list -o wide\n");
  list->final_callback([selected] { *selected = RunWorkers; });
  status->final_callback([selected] { *selected = RunStatus; });
}

absl::Status ReadTime(absl::string_view option, absl::string_view text,
                      absl::Duration* time) {
  const absl::StatusOr<absl::Duration> parsed = ParseTime(text);
  if (!parsed.ok() || *parsed == absl::ZeroDuration()) {
    return BadValue(option, text, "a time as 10s, 1m30s or 00:00:10");
  }
  *time = *parsed;
  return absl::OkStatus();
}

absl::Status ReadOptions(const Typed& typed, Options* options) {
  static constexpr std::pair<absl::string_view, Output> kOutputs[] = {
      {"table", Output::kTable},
      {"wide", Output::kWide},
      {"json", Output::kJson},
      {"yaml", Output::kYaml}};
  const auto* output =
      std::find_if(std::begin(kOutputs), std::end(kOutputs),
                   [&](const auto& o) { return o.first == typed.output; });
  if (output == std::end(kOutputs)) {
    return BadValue("--output", typed.output, "table, wide, json or yaml");
  }
  options->output = output->second;
  EOIP_RETURN_IF_ERROR(ReadTime("--timeout", typed.timeout, &options->timeout));
  if (!typed.wait.empty()) {
    absl::Duration wait;
    EOIP_RETURN_IF_ERROR(ReadTime("--wait", typed.wait, &wait));
    options->wait = wait;
  }
  return absl::OkStatus();
}

// " (did you mean 'tunnel'?)" where a word is no command.
std::string UnknownCommand(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
  }
  std::vector<std::string> known;
  for (const CLI::App* sub : deepest->get_subcommands(nullptr)) {
    known.push_back(sub->get_name());
  }
  for (const std::string& word : words) {
    if (known.empty() || word.empty() || word[0] == '-') continue;
    return absl::StrCat("unknown command '", word, "'",
                        Suggestion(word, known));
  }
  return "";
}

// CLI11 would take the word after a bare --wait for its value.
std::vector<std::string> WithWaitValues(std::vector<std::string> args) {
  for (std::string& arg : args) {
    if (arg == "--") break;
    if (arg == "--wait") arg = absl::StrCat("--wait=", kDefaultWait);
  }
  return args;
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& args,
                   const Console& console) {
  CLI::App app(
      "Looks at and changes the tunnels, networks and attachments of "
      "eoip-agent.",
      "eoipctl");
  Typed typed;
  Command selected = RunOverview;
  Build(&app, &typed, &selected);
  Options options;
  Session session(options, console);
  try {
    std::vector<std::string> reversed = WithWaitValues(args);
    std::reverse(reversed.begin(), reversed.end());
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp& help) {
    app.exit(help, console.out, console.err);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    const std::string unknown = UnknownCommand(app);
    return session.Usage(
        absl::StrCat(unknown.empty() ? std::string(error.what()) : unknown,
                     "; see 'eoipctl --help'"));
  }
  if (typed.version) {
    console.out << "eoipctl " EOIP_VERSION_STRING "\n";
    return kExitOk;
  }
  options = typed.options;
  if (const absl::Status status = ReadOptions(typed, &options); !status.ok()) {
    return session.Usage(status.message());
  }
  if (const absl::Status status = session.Open(); !status.ok()) {
    return session.Usage(status.message());
  }
  return selected(session);
}

}  // namespace eoip::ctl
