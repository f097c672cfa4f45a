// Putting the shell shim (appliance/shim) in a shell's place and taking it away again, in a root
// directory: a container's file system, or this one.
//
// At no moment is there no shell: the original gets its second name first, then the shim is renamed
// over the first. Symbolic links are followed inside the root only.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::client {

enum class ShellState {
  kMissing,   // There is no such shell.
  kOriginal,  // As the system came.
  kShim,      // The shim is in its place, the original beside it.
  kBroken,    // The shim is in its place and the original is not there.
  kReplaced,  // Something else is in its place, a package's update most likely, and NAME.real is
              // left.
};
std::string_view to_string(ShellState state);

class ShellReplacement {
 public:
  // `shell`: "sh" or "bash", in the root's /bin. `shim`: the program to put there.
  static ShellReplacement look(const std::string& root, std::string_view shell,
                               const std::string& shim);

  ShellState state() const { return state_; }
  const std::string& path() const { return path_; }
  std::string real_path() const { return path_ + ".real"; }

  // `again`: also over a NAME.real that is left.
  Result<> install(bool again) const;
  Result<> uninstall() const;

 private:
  ShellReplacement(std::string path, std::string shim, ShellState state)
      : path_(std::move(path)), shim_(std::move(shim)), state_(state) {}

  std::string path_;
  std::string shim_;
  ShellState state_;
};

}  // namespace agentsh::client
