// Whole files: bounded reading, atomic replacing. Errors name the path.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace agentsh {

// The file's content. Fails with file_too_large when it is longer than `limit` bytes; works on
// /proc files.
Result<std::string> read_file(const std::string& path, std::size_t limit = 16 << 20);

// Reads the rest of `fd`, at most `limit` bytes.
Result<std::string> read_all(int fd, std::size_t limit, std::string_view name);

// Writes every byte, going on after EINTR and short writes.
Result<> write_all(int fd, std::string_view data, std::string_view name);

// Replaces `path` so that a reader, or a crash at any moment, sees the old content or the new one,
// whole: temporary file in the same directory, fsync, rename, fsync of the directory.
Result<> write_file_atomic(const std::string& path, std::string_view data, mode_t mode = 0600);

// mkdir -p with `mode` for what is made. Existing directories are left as they are.
Result<> make_directories(const std::string& path, mode_t mode = 0700);

}  // namespace agentsh
