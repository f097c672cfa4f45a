// `agentsh audit verify | chain status | chain reset`: offline, on the files of an audit log.
//
// Exit codes: 0 all is well, 1 a problem was found, 2 the arguments are wrong or nothing could be
// checked. Results go to standard output, complaints to standard error.
#pragma once

#include <span>
#include <string>

namespace agentsh::cli {

// Where the audit log is when the arguments (--dir, --key-file) do not say.
struct AuditPaths {
  std::string directory;
  std::string key_file;
};

// `args` are what follows `agentsh audit`.
int run_audit_verb(std::span<const std::string> args, const AuditPaths& defaults);

}  // namespace agentsh::cli
