// Compiled automata kept in files, since compiling the shipped catalogue takes seconds and reading
// it back milliseconds: for command lines, and for the daemon's next start.
//
// A file is named after everything that the automaton depends on (patterns, Vectorscan's version,
// the processor's features), so a wrong one is never taken. It is only taken from the user's own
// directory, one that nobody else may write to, and written whole or not at all. What cannot be
// read or written is compiled: a cache is never an error.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace agentsh::dlp {

class DatabaseCache {
 public:
  // The directory is made when something is stored. Empty: nothing is cached.
  explicit DatabaseCache(std::string directory) : directory_(std::move(directory)) {}

  bool enabled() const { return !directory_.empty(); }
  // `description` is everything that the automaton depends on.
  std::optional<std::string> load(std::string_view description) const;
  void store(std::string_view description, std::string_view database) const;

 private:
  std::string directory_;
};

// $XDG_CACHE_HOME/agentsh/dlp or ~/.cache/agentsh/dlp; empty when there is no home.
std::string user_cache_directory();

}  // namespace agentsh::dlp
