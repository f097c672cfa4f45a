#include "appliance/sessions/session_view.h"

#include "appliance/sessions/host_sockets.h"
#include "base/file_io.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <sstream>

namespace agentsh {
namespace {

// Made new by init, so nothing beneath them is the host's.
constexpr std::string_view kReplaced[] = {"/tmp/", "/run/",  "/var/run/", "/var/tmp/",
                                          "/dev/", "/proc/", "/sys/"};
// What a session has of its own and writes as it likes. A rule that opens the whole of one means
// this: with the host's in its place it would read other programs' files there, change them, and
// meet their sockets. A directory beneath one, named by a rule, is the host's.
constexpr std::string_view kOwnDirectories[] = {"/tmp", "/var/tmp", "/run", "/var/run"};
// Made for the session by the kernel; the host's show and control what is outside.
constexpr std::string_view kOwnFilesystems[] = {"/dev", "/proc", "/sys"};

bool beneath(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool is_temporary(std::string_view path) {
  return std::ranges::find(kOwnDirectories, path) != std::ranges::end(kOwnDirectories);
}

bool is_sessions_own(std::string_view path) {
  return is_temporary(path) || std::ranges::any_of(kOwnFilesystems, [&](std::string_view own) {
           return beneath(path, own);
         });
}

// The host's resolver configuration with our address as the only server.
std::string resolv_conf() {
  std::string text = fmt::format("nameserver {}\n", kResolverAddress);
  auto host = read_file("/etc/resolv.conf", 1 << 16);
  if (!host) return text;
  std::istringstream lines(*host);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("search ") || line.starts_with("domain ") || line.starts_with("options "))
      text += line + "\n";
  }
  return text;
}

// Sockets of host programs that would be in view: not in a directory that is made new, or brought
// back by a bind.
std::vector<std::string> visible_host_sockets(const sandbox::SessionSpec& spec) {
  std::vector<std::string> visible;
  for (std::string& path : host_socket_paths()) {
    const bool replaced = std::ranges::any_of(
        kReplaced, [&](std::string_view directory) { return path.starts_with(directory); });
    const bool bound = std::ranges::any_of(
        spec.binds, [&](const sandbox::BindMount& bind) { return beneath(path, bind.source); });
    if (!replaced || bound) visible.push_back(std::move(path));
  }
  return visible;
}

Result<> check_workspace(const SessionView& view) {
  struct stat status;
  if (::stat(view.workspace.c_str(), &status) != 0) {
    return std::unexpected(errno_error("workspace", view.workspace));
  }
  if (!S_ISDIR(status.st_mode)) return fail("workspace " + view.workspace + ": not a directory");
  for (std::string_view system :
       {"/", "/tmp", "/var", "/var/tmp", "/run", "/var/run", "/proc", "/sys", "/dev", "/usr",
        "/etc", "/boot", "/bin", "/sbin", "/lib"}) {
    const bool holds_others = system == "/" || system == "/var" || is_temporary(system);
    if (view.workspace == system || (!holds_others && beneath(view.workspace, system))) {
      return fail(fmt::format(
          "workspace {}: a system directory cannot be a workspace; choose a project's directory",
          view.workspace));
    }
  }
  for (const std::string& own : view.own_paths) {
    if (beneath(view.workspace, own)) {
      return fail(fmt::format("workspace {}: lies inside the appliance's own directory {}",
                              view.workspace, own));
    }
  }
  return {};
}

// A tree that the session may change: from where in the host's view to where in its own.
struct WritableTree {
  std::string source;
  std::string target;
};

// Keeps what is ours in its place within a tree that the session may change. Masking it is not
// enough: whoever renames a directory above it can put another tree where we and our clients look.
// A mount point cannot be renamed or removed, so each of these directories becomes one.
Result<> pin(const std::string& own, const WritableTree& tree, sandbox::SessionSpec& spec) {
  if (own == tree.source || !beneath(own, tree.source)) return {};
  for (std::size_t slash = own.find('/', tree.source.size() + 1); slash != std::string::npos;
       slash = own.find('/', slash + 1)) {
    const std::string directory = own.substr(0, slash);
    struct stat status;
    if (::lstat(directory.c_str(), &status) != 0) break;
    if (S_ISLNK(status.st_mode)) {
      return fail(fmt::format(
          "workspace {}: {} of the appliance lies in it behind the symbolic link {}, which a "
          "command could replace; choose a workspace beside it, or configure the path itself",
          tree.source, own, directory));
    }
    const std::string target = tree.target + directory.substr(tree.source.size());
    const bool pinned = std::ranges::any_of(
        spec.binds, [&](const sandbox::BindMount& bind) { return bind.target == target; });
    if (!pinned) spec.binds.push_back({directory, target, true, false, true});
  }
  return {};
}

Result<> pin_all(const SessionView& view, const WritableTree& tree, sandbox::SessionSpec& spec) {
  for (const std::string& own : view.own_paths) {
    if (auto done = pin(own, tree, spec); !done) return done;
  }
  // Our programs may be run and not replaced: the daemon starts them for the next session.
  for (const std::string& program : view.own_programs) {
    if (!beneath(program, tree.source)) continue;
    if (auto done = pin(program, tree, spec); !done) return done;
    spec.binds.push_back(
        {program, tree.target + program.substr(tree.source.size()), false, false, true});
  }
  return {};
}

// The workspace at its second place, with what the first one has in it.
Result<> add_virtual_workspace(const SessionView& view, sandbox::SessionSpec& spec) {
  const std::string target(kVirtualWorkspace);
  spec.binds.push_back({view.workspace, target, view.workspace_writable, false, false});
  if (view.workspace_writable) {
    spec.writable.push_back(target);
    if (auto done = pin_all(view, {view.workspace, target}, spec); !done) return done;
  }
  const auto second_place = [&](const std::string& path) {
    return target + path.substr(view.workspace.size());
  };
  for (const std::string& path : view.read_only) {
    if (beneath(path, view.workspace))
      spec.binds.push_back({path, second_place(path), false, false, true});
  }
  for (const auto* paths : {&view.masked, &view.own_paths}) {
    for (const std::string& path : *paths) {
      if (path != view.workspace && beneath(path, view.workspace))
        spec.masked.push_back(second_place(path));
    }
  }
  return {};
}

// A path and, where it leads through symbolic links, the file's own: Landlock knows files, not
// names.
std::vector<std::string> with_real_paths(
    std::initializer_list<const std::vector<std::string>*> lists) {
  std::vector<std::string> all;
  for (const auto* paths : lists) {
    for (const std::string& path : *paths) {
      all.push_back(path);
      std::error_code error;
      const auto real = std::filesystem::weakly_canonical(path, error);
      if (!error && real != path) all.push_back(real.native());
    }
  }
  return all;
}

// Landlock adds rights and takes none away beneath a tree that may be written.
Result<> check_nothing_inside(const SessionView& view, const std::string& tree) {
  const std::vector<std::string> trees = {tree};
  for (const std::string& kept :
       with_real_paths({&view.masked, &view.own_paths, &view.own_programs, &view.read_only})) {
    for (const std::string& name : with_real_paths({&trees})) {
      if (!beneath(kept, name) || kept == name) continue;
      return fail(fmt::format(
          "{} lies in {}, which may be written: only a session with mounts of its own can keep it "
          "as it is (security.mode: auto)",
          kept, tree));
    }
  }
  return {};
}

Result<> describe_hosts_view(const SessionView& view, sandbox::SessionSpec& spec) {
  if (view.virtual_workspace)
    return fail("a workspace at /workspace needs a mount namespace; use real paths");
  if (view.workspace_writable) spec.writable.push_back(view.workspace);
  for (const std::string& tree : view.writable) {
    if (!is_sessions_own(tree)) spec.writable.push_back(tree);
  }
  for (const std::string& tree : spec.writable) {
    if (auto checked = check_nothing_inside(view, tree); !checked) return checked;
  }
  spec.own_namespaces = false;
  spec.own_user_namespace = false;
  spec.private_directory = view.private_directory;
  spec.files = view.private_files;
  spec.notifier_program = view.notifier_program;
  spec.masked = with_real_paths({&view.masked, &view.own_paths});
  return {};
}

Result<> describe_own_view(const SessionView& view, sandbox::SessionSpec& spec) {
  spec.binds.push_back({view.workspace, view.workspace, view.workspace_writable, false, false});
  if (view.workspace_writable) spec.writable.push_back(view.workspace);
  for (const std::string& tree : view.writable) {
    if (is_sessions_own(tree)) continue;
    if (view.workspace_writable && beneath(tree, view.workspace)) continue;
    spec.binds.push_back({tree, tree, true, true, true});
    spec.writable.push_back(tree);
  }
  for (const std::string& tree : std::vector<std::string>(spec.writable)) {
    if (auto done = pin_all(view, {tree, tree}, spec); !done) return done;
  }
  for (const std::string& path : view.read_only) {
    if (!is_sessions_own(path)) spec.binds.push_back({path, path, false, false, true});
  }
  if (view.virtual_workspace) {
    if (auto done = add_virtual_workspace(view, spec); !done) return done;
  }
  for (const TrustMount& mount : view.trust) {
    spec.binds.push_back({mount.source, mount.target, false, false, false});
  }
  spec.masked.insert(spec.masked.end(), view.masked.begin(), view.masked.end());
  spec.masked.insert(spec.masked.end(), view.own_paths.begin(), view.own_paths.end());
  for (std::string& socket : visible_host_sockets(spec)) spec.masked.push_back(std::move(socket));
  spec.files.push_back({"/etc/resolv.conf", resolv_conf()});
  return {};
}

}  // namespace

Result<sandbox::SessionSpec> build_session_spec(const SessionView& view) {
  if (auto checked = check_workspace(view); !checked) return std::unexpected(checked.error());
  sandbox::SessionSpec spec;
  spec.id = view.id;
  spec.uid = view.user.uid;
  spec.gid = view.user.gid;
  spec.groups = view.user.groups;
  spec.own_user_namespace = view.own_user_namespace;
  spec.require_landlock = view.require_landlock;
  auto described =
      view.own_namespaces ? describe_own_view(view, spec) : describe_hosts_view(view, spec);
  if (!described) return std::unexpected(described.error());
  spec.seccomp_programs = view.seccomp_programs;
  // No core files: they would carry memory to wherever the host's core_pattern sends it.
  spec.limits.push_back({RLIMIT_CORE, 0, 0});
  return spec;
}

}  // namespace agentsh
