#include "appliance/installation.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace agentsh {
namespace {

std::filesystem::path executable() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

}  // namespace

Result<std::string> find_init_program() {
  const std::filesystem::path here = executable().parent_path();
  for (const auto& candidate :
       {here / "agentsh-init", here.parent_path() / "libexec/agentsh/agentsh-init"}) {
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return fail("agentsh-init was not found beside " + executable().string() +
              ": the installation is incomplete");
}

std::vector<std::string> own_programs() {
  std::vector<std::string> programs;
  const std::filesystem::path here = executable().parent_path();
  for (const char* name : {"agentsh", "agentshd"}) programs.push_back((here / name).string());
  if (auto init = find_init_program()) programs.push_back(std::move(*init));
  return programs;
}

std::vector<std::string> policy_directories(const config::ServerConfig& config) {
  std::vector<std::string> directories = {config.policies.dir};
  const std::filesystem::path packs =
      executable().parent_path().parent_path() / "share/agentsh/policies";
  for (const std::string& shared : {std::string("/etc/agentsh/policies"), packs.string()}) {
    if (std::filesystem::is_directory(shared) && shared != config.policies.dir) {
      directories.push_back(shared);
    }
  }
  return directories;
}

}  // namespace agentsh
