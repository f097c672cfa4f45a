// agentsh: the command line. A thin client: it links base only and starts in about a millisecond;
// what needs the policy engine or the audit store is handed to agentshd by exec, everything else
// asks the server over its control socket.
#include "appliance/client/completion.h"
#include "appliance/client/exec_verb.h"
#include "appliance/client/leading_options.h"
#include "appliance/client/llm_verbs.h"
#include "appliance/client/options.h"
#include "appliance/client/server_verbs.h"
#include "appliance/client/session_verbs.h"
#include "appliance/client/shim_verbs.h"
#include "appliance/version.h"
#include "base/printing_main.h"
#include "base/standard_streams.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

namespace agentsh::client {
namespace {

int hand_to_daemon(Arguments arguments);

struct Verb {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments);  // Null: run by agentshd.
};

constexpr Verb kVerbs[] = {
    {"exec", "run a command in a session", run_exec},
    {"wrap", "run an agent in a session of its own", run_wrap},
    {"session", "create, list, inspect, attach to and end sessions", run_session},
    {"kill", "end a running command", run_kill},
    {"output", "page through a command's stored output", run_output},
    {"events", "search or follow the audit trail", run_events},
    {"approve", "list and answer requests for approval", run_approve},
    {"policy", "list, show, validate, lint, explain, sign policies", nullptr},
    {"db", "say what SQL statements do", nullptr},
    {"config", "show and validate the configuration", nullptr},
    {"audit", "verify the audit log's chain", nullptr},
    {"dlp", "find and replace credentials and personal data in files", nullptr},
    {"gateway", "keys of the LLM gateway's clients", run_gateway},
    {"usage", "tokens and cost of LLM requests, by model, session, key or day", run_usage},
    {"proxy", "what is done with LLM traffic", run_proxy},
    {"ca", "export or rotate the certificate authority", run_ca},
    {"debug", "counts, pending approvals, policy dry runs", run_debug},
    {"server", "run the daemon", nullptr},
    {"shim", "shells that start in a session", run_shim},
    {"completion", "shell completions for bash, zsh or fish", run_completion},
};

// Commands that agentsh's documentation has and this version does not: refused by name, never
// guessed at.
struct Absent {
  std::string_view name;
  std::string_view reason;
};
constexpr Absent kAbsent[] = {
    {"detect",
     "this version does not score the host; `agentsh config show` prints what is configured"},
    {"report", "this version has no reports; `agentsh events query --session ID` has the facts"},
    {"mcp",
     "mcp_rules of the policy decide; `agentsh events query --session ID` has what was called"},
    {"checkpoint", "this version does not checkpoint files"},
    {"trash", "this version does not divert deletions"},
    {"taint", "this version does not track process taint"},
    {"network-acl", "network rules stand in the policy's network_rules"},
    {"pnacl", "network rules stand in the policy's network_rules"},
    {"daemon", "use the systemd unit agentshd.service, or let the first command start the server"},
    {"backup", "copy the state directory while the server is stopped"},
    {"restore", "copy the state directory while the server is stopped"},
    {"auth", "this version authenticates by Unix credentials and API keys only"},
    {"skillcheck", "this version does not scan skills"},
    {"activate-extension", "this is for another operating system"},
};

constexpr Absent kAbsentPolicyVerbs[] = {
    {"generate", "this version does not write policies from what it recorded"},
};

void print_help(FILE* out) {
  fmt::print(
      out,
      "agentsh runs AI agents behind one policy: what they may reach, run, read and write.\n\n"
      "Usage: agentsh [--server ADDRESS] [--api-key KEY] [--client-timeout TIME] [--config FILE] "
      "COMMAND [OPTIONS]\n\n");
  for (const Verb& verb : kVerbs) fmt::print(out, "  {:<11} {}\n", verb.name, verb.summary);
  fmt::print(out,
             "\nStart here:\n"
             "  agentsh wrap -- claude                                 an agent under the "
             "agent-default policy\n"
             "  SID=$(agentsh session create --workspace .)            or a session of your own\n"
             "  agentsh exec $SID -- curl -s https://example.com\n"
             "  agentsh events query --session $SID                    what was allowed, what was "
             "denied and why\n\n"
             "`agentsh COMMAND --help` explains each. Manual: agentsh(1).\n");
}

int hand_to_daemon(Arguments arguments) {
  const std::string program = executable_directory() + "/agentshd";
  std::vector<char*> argv = {const_cast<char*>("agentsh")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return report(errno_error("exec", program));
}

int run(Arguments arguments) {
  if (auto taken = take_leading_options(arguments); !taken) return report(taken.error());
  if (arguments.empty()) {
    print_help(stderr);
    return kExitFailure;
  }
  const std::string& name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(stdout);
    return 0;
  }
  if (name == "--version" || name == "version") {
    fmt::print("agentsh {}\n", kVersion);
    return 0;
  }
  // An offline search of the audit trail needs the store, which the client does not link.
  if (name == "events" && arguments.size() > 1 && arguments[1] == "query") {
    for (const std::string& argument : arguments) {
      if (argument.starts_with("--direct-db")) return hand_to_daemon(arguments);
    }
  }
  if (name == "policy" && arguments.size() > 1) {
    for (const Absent& absent : kAbsentPolicyVerbs) {
      if (absent.name == arguments[1])
        return report(fmt::format("policy {}: {}", absent.name, absent.reason));
    }
  }
  for (const Verb& verb : kVerbs) {
    if (verb.name == name)
      return verb.run == nullptr ? hand_to_daemon(arguments) : verb.run(arguments.subspan(1));
  }
  for (const Absent& absent : kAbsent) {
    if (absent.name == name) return report(fmt::format("{}: {}", name, absent.reason));
  }
  return report(fmt::format("no such command: {}; run 'agentsh --help'", name));
}

}  // namespace
}  // namespace agentsh::client

int main(int argc, char** argv) {
  agentsh::occupy_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return agentsh::end_of_printing([&] { return agentsh::client::run(arguments); });
}
