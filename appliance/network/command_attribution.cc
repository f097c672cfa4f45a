#include "appliance/network/command_attribution.h"

#include "base/file_io.h"

#include <cstdio>
#include <mutex>
#include <optional>

namespace agentsh {
namespace {

constexpr int kMaxGenerations = 64;
// Longer than reports take, shorter than it takes for a process id to come round again.
constexpr auto kRemembered = std::chrono::seconds(2);

struct ProcessStat {
  pid_t parent = 0;
  pid_t session = 0;
};

std::optional<ProcessStat> read_stat(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text) return {};
  // "pid (comm) state ppid pgrp session ...": comm may hold anything, so from its last parenthesis
  // on (proc(5)).
  const std::size_t after_name = text->rfind(')');
  if (after_name == std::string::npos) return {};
  ProcessStat stat;
  char state;
  int group;
  if (std::sscanf(text->c_str() + after_name + 1, " %c %d %d %d", &state, &stat.parent, &group,
                  &stat.session) != 4) {
    return {};
  }
  return stat;
}

}  // namespace

void CommandAttribution::add(pid_t leader, std::string command_id) {
  std::unique_lock lock(mutex_);
  ended_.erase(leader);
  commands_[leader] = std::move(command_id);
}

void CommandAttribution::remove(pid_t leader) {
  std::unique_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(ended_, [now](const auto& entry) { return entry.second.forgotten <= now; });
  auto node = commands_.extract(leader);
  if (!node.empty()) ended_[leader] = {std::move(node.mapped()), now + kRemembered};
}

std::string CommandAttribution::find(pid_t leader) const {
  std::shared_lock lock(mutex_);
  auto found = commands_.find(leader);
  if (found != commands_.end()) return found->second;
  auto ended = ended_.find(leader);
  return ended != ended_.end() && std::chrono::steady_clock::now() < ended->second.forgotten
             ? ended->second.command_id
             : std::string();
}

std::string CommandAttribution::command_of(pid_t pid) const {
  if (pid <= 0) return {};
  if (std::string direct = find(pid); !direct.empty()) return direct;
  for (int generation = 0; generation < kMaxGenerations && pid > 1; ++generation) {
    auto stat = read_stat(pid);
    if (!stat) return {};
    if (std::string id = find(stat->session); !id.empty()) return id;
    pid = stat->parent;
  }
  return {};
}

}  // namespace agentsh
