#include "appliance/sessions/host_sockets.h"

#include "base/file_io.h"

#include <algorithm>
#include <sstream>

namespace agentsh {

std::vector<std::string> host_socket_paths() {
  std::vector<std::string> paths;
  auto table = read_file("/proc/net/unix", 64 << 20);
  if (!table) return paths;
  std::istringstream lines(*table);
  std::string line;
  std::getline(lines, line);  // Header.
  while (std::getline(lines, line)) {
    const std::size_t slash = line.find(" /");
    if (slash != std::string::npos) paths.push_back(line.substr(slash + 1));
  }
  std::ranges::sort(paths);
  paths.erase(std::ranges::unique(paths).begin(), paths.end());
  return paths;
}

}  // namespace agentsh
