// What the tests of the configuration share: a request that depends on nothing of this machine, and
// a temporary directory.
#pragma once

#include "appliance/config/loader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace agentsh::config {

struct TestRequest : LoadRequest {
  explicit TestRequest(const std::map<std::string, std::string>& variables = {}) {
    uid = 1000;
    machine_file = "/nonexistent/config.yaml";
    environment = [variables](const std::string& name) -> std::optional<std::string> {
      auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    paths = {"/home/ann/.config/agentsh", "/home/ann/.local/state/agentsh",
             "/run/user/1000/agentsh", "/run/user/1000/agentsh/agentsh.sock"};
  }
};

inline LoadReport parse(std::string_view text, const LoadRequest& request = TestRequest()) {
  return parse_config(text, "/etc/agentsh/config.yaml", request);
}

// Every problem, one a line.
inline std::string problems_of(const LoadReport& report) {
  std::string text;
  for (const policy::Diagnostic& problem : report.problems) text += policy::to_text(problem) + "\n";
  return text;
}

// A directory of the caller's, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/agentsh-config-XXXXXX";
    if (::mkdtemp(name) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // Makes a file; returns its path.
  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

 private:
  std::string path_;
};

}  // namespace agentsh::config
