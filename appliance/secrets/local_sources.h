// Secrets of this host: environment, files, programs. Blocking; any thread.
#pragma once

#include "appliance/secrets/reference.h"
#include "base/result.h"

#include <sys/types.h>

#include <chrono>
#include <string>

namespace agentsh::secrets {

// `reader` is who the daemon is: files must be theirs alone (config/trusted_file.h), programs
// nobody else's to write.
Result<std::string> read_local(const Reference& reference, uid_t reader,
                               std::chrono::milliseconds timeout);

// What the program at the beginning of `command` writes to its standard output; the rest, divided
// by blanks, are its arguments. It has the daemon's environment, no standard input, and its errors
// go nowhere. Errors: it does not run, fails, writes more than 64 KB or takes longer than the time;
// then it is killed. What it wrote is in no error.
Result<std::string> run_program(const std::string& command, std::chrono::milliseconds timeout);

}  // namespace agentsh::secrets
