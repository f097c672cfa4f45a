#include "appliance/sessions/project_root.h"

#include <sys/stat.h>

#include <filesystem>

namespace agentsh {
namespace {

constexpr const char* kProjectFiles[] = {"go.mod",         "package.json",   "Cargo.toml",
                                         "pyproject.toml", "setup.py",       "pom.xml",
                                         "build.gradle",   "Gemfile",        "composer.json",
                                         "mix.exs",        "CMakeLists.txt", "deno.json"};

bool is_there(const std::filesystem::path& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

bool owned_by(const std::filesystem::path& path, uid_t owner) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && (status.st_uid == owner || owner == 0);
}

}  // namespace

ProjectRoots find_project_roots(const std::string& workspace, const std::string& home,
                                uid_t owner) {
  ProjectRoots roots;
  for (std::filesystem::path directory = workspace; directory != directory.root_path();
       directory = directory.parent_path()) {
    const bool start = directory == workspace;
    if (!start && (directory == home || !owned_by(directory, owner))) break;
    if (roots.project.empty()) {
      for (const char* name : kProjectFiles) {
        if (is_there(directory / name)) roots.project = directory;
      }
    }
    if (is_there(directory / ".git")) {
      roots.git = directory;
      break;
    }
  }
  if (roots.project.empty()) roots.project = roots.git.empty() ? workspace : roots.git;
  return roots;
}

}  // namespace agentsh
