// A scratch folder and commands for the certificate tests.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace agentsh::certs {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = "/tmp/agentsh-certs-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, making its folders.
  std::string put(const std::string& name, const std::string& content) const {
    const std::filesystem::path full = path_ + "/" + name;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
    return full;
  }

 private:
  std::string path_;
};

struct CommandResult {
  int status = -1;
  std::string output;  // Both streams.
};

inline CommandResult run_command(const std::string& command) {
  CommandResult result;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  result.status = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

inline bool have_command(const std::string& name) {
  return run_command("command -v " + name).status == 0;
}

}  // namespace agentsh::certs
