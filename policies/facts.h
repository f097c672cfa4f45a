// What the policy is asked about: one plain struct per kind of operation, filled by whoever met the
// operation (a proxy flow, the DNS service, the seccomp supervisor, the filesystem) and judged by
// CompiledPolicy through the gate.
//
// Facts are views: they live as long as the caller's strings, and the gate copies what it keeps.
#pragma once

#include "base/ip.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agentsh::policy {

// Who does it. Every event carries these.
struct Actor {
  std::string command_id;  // Empty when the process could not be tied to a command.
  pid_t pid = 0;           // In the daemon's PID namespace; 0 when unknown.
  std::string program;     // comm or path; empty when unknown.
};

enum class Transport { kTcp, kUdp };

// A connection (or a UDP destination).
//
// `name` is the host name that the connection is for: one that this session was given `address` for
// by DNS (a lease) or by /etc/hosts, or that the proxy itself resolved to `address`. Empty when
// there is none: then only rules with cidrs, or without domains, can match.
struct ConnectFacts {
  std::string_view name;
  IpAddress address;
  std::uint16_t port = 0;
  Transport transport = Transport::kTcp;
};

// A DNS question. Judged by the same network_rules as the connection that follows it.
struct DnsFacts {
  std::string_view name;  // Canonical (base/domain.h).
  std::string_view type;  // "A", "AAAA", "TXT", ...
};

// A request inside an HTTP connection that was itself allowed.
struct HttpFacts {
  std::string_view method;
  std::string_view scheme;  // "http" or "https".
  std::string_view host;    // Canonical.
  std::uint16_t port = 0;
  std::string_view path;  // As on the wire, with query.
  // The http_service through whose /svc/NAME/ the request came; empty: it was sent to the host.
  std::string_view via_service = {};
};

// A program about to be run.
struct CommandFacts {
  std::string_view
      path;  // As asked for; has a slash where one was given or the program was resolved.
  std::span<const std::string> arguments;  // Without argv[0].
  int depth = 0;                           // 0: started by `agentsh exec` itself.
  // Set where an execve is judged: args_patterns then see the arguments with argv[0] before them as
  // well as without. Empty in the check before a command starts, which sees them without only.
  std::string_view argv0;
};

// Names of file operations are the reference's: open read write create delete rmdir mkdir rename
// list stat chmod chown readlink link symlink access mknod.
struct FileFacts {
  std::string_view path;  // Absolute, resolved.
  std::string_view operation;
};

struct UnixSocketFacts {
  std::string_view path;       // Or "@name" for an abstract socket.
  std::string_view operation;  // connect bind listen sendto
};

enum class SignalTarget {
  kSelf,
  kChildren,
  kDescendants,
  kSiblings,
  kSession,
  kParent,
  kExternal,
  kSystem,
  kUser
};

struct SignalFacts {
  int signal = 0;
  pid_t target_pid = 0;
  std::string_view target_program;
  std::span<const SignalTarget> relations;  // Every relation that holds between sender and target.
};

}  // namespace agentsh::policy
