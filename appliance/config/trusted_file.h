// Opening configuration and policies so that nobody but the administrator (or the user whose daemon
// it is) can have decided what they say.
//
// For root every step of the path counts: each directory, symbolic link and the file itself must be
// root's, and not writable by group or others. A directory that is writable by all but sticky (like
// /tmp) is passed, since what is in it cannot be replaced by others; so is one on a read-only mount
// (a Kubernetes ConfigMap). For anybody else the file must be their own or root's and not writable
// by others.
//
// The walk holds each directory open, so what was checked is what is opened. Threads: any. Errors:
// name the step, its owner and mode, and the command that mends it; a missing file keeps the code
// no_such_file_or_directory.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <string>

namespace agentsh::config {

// A regular file, opened for reading.
Result<UniqueFd> open_trusted_file(const std::string& path, uid_t reader);

// A directory, opened for reading. For a reader other than root it must be their own or root's.
Result<UniqueFd> open_trusted_directory(const std::string& path, uid_t reader);

// open_trusted_file() and its content, at most `limit` bytes.
Result<std::string> read_trusted_file(const std::string& path, uid_t reader,
                                      std::size_t limit = 1 << 20);

// The same for a file with secrets: it must also be closed to group and others (mode 0600).
Result<std::string> read_secret_file(const std::string& path, uid_t reader,
                                     std::size_t limit = 1 << 20);

}  // namespace agentsh::config
