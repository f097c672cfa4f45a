#include "sandbox/process/init/private_directory.h"

#include "base/file_io.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace agentsh::sandbox {

Result<> make_private_directory(const SessionSpec& spec) {
  if (::mkdir(spec.private_directory.c_str(), 0700) != 0)
    return std::unexpected(errno_error("mkdir", spec.private_directory));
  for (const ProvidedFile& file : spec.files) {
    UniqueFd fd(
        ::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return std::unexpected(errno_error("open", file.path));
    if (auto done = write_all(fd.get(), file.content, file.path); !done) return done;
  }
  return {};
}

}  // namespace agentsh::sandbox
