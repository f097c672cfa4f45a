#include "sandbox/process/cgroup_files.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

namespace agentsh::sandbox {

Result<> write_control(const std::string& path, std::string_view value) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return std::unexpected(errno_error("open", path));
  if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return std::unexpected(errno_error("write", path));
  }
  return {};
}

}  // namespace agentsh::sandbox
