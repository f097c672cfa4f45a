#include "base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace agentsh {

void occupy_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // Opened the wrong way round, so that using it fails as it does on one that is closed.
    if (::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) std::abort();
  }
}

}  // namespace agentsh
