#include "policies/model.h"

#include <array>

namespace agentsh::policy {
namespace {

constexpr std::array<std::string_view, kFileOperations> kFileOperationWords = {
    "open", "read",  "write", "create",   "delete", "rmdir",   "mkdir",  "rename", "list",
    "stat", "chmod", "chown", "readlink", "link",   "symlink", "access", "mknod"};

}  // namespace

std::string_view to_string(FileOperation operation) {
  return kFileOperationWords.at(static_cast<std::size_t>(operation));
}

std::optional<FileOperation> parse_file_operation(std::string_view word) {
  for (std::size_t i = 0; i < kFileOperations; ++i) {
    if (kFileOperationWords[i] == word) return static_cast<FileOperation>(i);
  }
  return {};
}

bool is_read_operation(FileOperation operation) {
  switch (operation) {
    case FileOperation::kOpen:
    case FileOperation::kRead:
    case FileOperation::kStat:
    case FileOperation::kList:
    case FileOperation::kReadlink:
    case FileOperation::kAccess:
      return true;
    default:
      return false;
  }
}

std::string_view to_string(UnixSocketOperation operation) {
  constexpr std::array<std::string_view, 4> kWords = {"connect", "bind", "listen", "sendto"};
  return kWords.at(static_cast<std::size_t>(operation));
}

std::string_view to_string(SignalTargetType type) {
  constexpr std::array<std::string_view, 11> kWords = {
      "self",     "children", "descendants", "siblings", "session",  "parent",
      "external", "system",   "user",        "process",  "pid_range"};
  return kWords.at(static_cast<std::size_t>(type));
}

}  // namespace agentsh::policy
