// The roots that policies write as ${PROJECT_ROOT} and ${GIT_ROOT}.
#pragma once

#include <sys/types.h>

#include <string>

namespace agentsh {

struct ProjectRoots {
  std::string project;  // Nearest directory at or above the workspace with a project file, else the
                        // Git root, else the workspace.
  std::string git;      // Empty when the workspace is in no Git repository.
};

// Looks upwards from `workspace` as far as the Git root; never above it, above `home`, or into
// directories of other users.
ProjectRoots find_project_roots(const std::string& workspace, const std::string& home, uid_t owner);

}  // namespace agentsh
