#include "appliance/client/log_hint.h"

#include "appliance/config/paths.h"

#include <unistd.h>

namespace agentsh::client {

std::string log_hint(const std::string& socket) {
  std::string file(4096, '\0');
  const ssize_t length = ::readlink(log_link_path(socket).c_str(), file.data(), file.size());
  if (length <= 0)
    return "; what it wrote to its standard error (as a service: journalctl -u agentshd) says why";
  file.resize(static_cast<std::size_t>(length));
  return "; its log is " + file;
}

}  // namespace agentsh::client
