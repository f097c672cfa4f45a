#include "sandbox/process/init/filesystem.h"

#include "base/file_io.h"
#include "sandbox/process/init/mount_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

namespace agentsh::sandbox {
namespace {

// From <linux/mount.h>, which cannot be included beside <sys/mount.h>.
constexpr std::uint64_t kReadOnly = 0x1;
constexpr std::uint64_t kNoSuid = 0x2;
constexpr std::uint64_t kNoDevices = 0x4;
constexpr std::uint64_t kHostTree = kReadOnly | kNoSuid | kNoDevices;

// Top-level directories that are made new rather than taken from the host.
constexpr std::array<std::string_view, 6> kOwnDirectories = {"proc", "sys", "dev",
                                                             "tmp",  "run", "lost+found"};
constexpr std::array<const char*, 6> kDevices = {"null",   "zero",    "full",
                                                 "random", "urandom", "tty"};
// A mount point that exists everywhere and is covered anyway: where the new root grows.
constexpr const char* kStagingDirectory = "/tmp";
// The empty, unreadable file that is bound over masked files.
constexpr const char* kMaskFile = "/.masked";

struct Attachment {
  UniqueFd tree;
  std::string target;
  bool directory = true;
};

bool is_directory(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

Result<> ensure_mount_point(const std::string& path, bool directory) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0) return {};
  const std::size_t slash = path.rfind('/');
  if (slash != 0 && slash != std::string::npos) {
    if (auto made = make_directories(path.substr(0, slash), 0755); !made) return made;
  }
  if (directory) {
    if (::mkdir(path.c_str(), 0755) != 0) return std::unexpected(errno_error("mkdir", path));
    return {};
  }
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return std::unexpected(errno_error("create", path));
  return {};
}

// Makes the missing directory of a writable tree on the host, with the rights of the session's
// user.
void create_as_user(const std::string& path, const SessionSpec& spec) {
  ::setfsgid(spec.gid);
  ::setfsuid(spec.uid);
  // What fails here shows as a missing source right after.
  [[maybe_unused]] auto ignored = make_directories(path, 0700);
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
}

Result<std::vector<Attachment>> open_binds(const SessionSpec& spec) {
  std::vector<Attachment> attachments;
  for (const BindMount& bind : spec.binds) {
    if (bind.create_source && ::access(bind.source.c_str(), F_OK) != 0)
      create_as_user(bind.source, spec);
    auto tree = clone_tree(bind.source);
    if (!tree) {
      if (bind.optional && tree.error().code == std::errc::no_such_file_or_directory) continue;
      return std::unexpected(tree.error());
    }
    const std::uint64_t set = kNoSuid | kNoDevices | (bind.writable ? 0 : kReadOnly);
    if (auto done = set_tree_attributes(tree->get(), set, 0); !done)
      return std::unexpected(done.error());
    const bool directory = is_directory(tree->get());
    attachments.push_back({std::move(*tree), bind.target, directory});
  }
  return attachments;
}

Result<std::vector<Attachment>> open_devices() {
  std::vector<Attachment> devices;
  for (const char* name : kDevices) {
    auto tree = clone_tree(std::string("/dev/") + name);
    if (!tree) return std::unexpected(tree.error());
    devices.push_back({std::move(*tree), std::string("dev/") + name, false});
  }
  return devices;
}

struct TopLevel {
  std::vector<Attachment> directories;
  std::vector<std::pair<std::string, std::string>> links;  // name, target
};

Result<TopLevel> open_top_level() {
  std::unique_ptr<DIR, int (*)(DIR*)> root(::opendir("/"), &::closedir);
  if (!root) return std::unexpected(errno_error("opendir", "/"));
  TopLevel top;
  while (const dirent* entry = ::readdir(root.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." ||
        std::ranges::find(kOwnDirectories, name) != kOwnDirectories.end())
      continue;
    const std::string path = "/" + name;
    struct stat status;
    if (::lstat(path.c_str(), &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      std::string target(4096, '\0');
      const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
      if (length > 0)
        top.links.emplace_back(name, target.substr(0, static_cast<std::size_t>(length)));
    } else if (S_ISDIR(status.st_mode)) {
      auto tree = clone_tree(path);
      if (!tree) return std::unexpected(tree.error());
      if (auto done = set_tree_attributes(tree->get(), kHostTree, 0); !done)
        return std::unexpected(done.error());
      top.directories.push_back({std::move(*tree), name, true});
    }
  }
  return top;
}

// Everything relative to the working directory, which is the root-to-be.
Result<> populate_root(const TopLevel& top, const std::vector<Attachment>& devices,
                       bool own_user_namespace) {
  for (const Attachment& directory : top.directories) {
    if (::mkdir(directory.target.c_str(), 0755) != 0)
      return std::unexpected(errno_error("mkdir", directory.target));
    if (auto done = attach_tree(directory.tree.get(), directory.target); !done) return done;
  }
  for (const auto& [name, target] : top.links) {
    if (::symlink(target.c_str(), name.c_str()) != 0)
      return std::unexpected(errno_error("symlink", name));
  }
  for (const char* name : {"proc", "sys", "dev", "tmp", "run"}) {
    if (::mkdir(name, 0755) != 0) return std::unexpected(errno_error("mkdir", name));
  }
  if (auto done = mount_virtual("proc", "proc", MS_NODEV | MS_NOEXEC, ""); !done) {
    return std::unexpected(with_context(
        done.error(),
        "a private /proc is refused here (usual cause: a container with a masked /proc)"));
  }
  if (auto done = mount_virtual("sysfs", "sys", MS_NODEV | MS_NOEXEC | MS_RDONLY, ""); !done) {
    // A container without a fully visible sysfs: an empty one hides more, and nothing that agents
    // run needs it.
    if (done = mount_virtual("tmpfs", "sys", MS_NODEV | MS_NOEXEC | MS_RDONLY, "mode=755,size=4k");
        !done)
      return done;
  }
  if (auto done = mount_virtual("tmpfs", "dev", MS_NOEXEC, "mode=755,size=64k"); !done) return done;
  for (const Attachment& device : devices) {
    UniqueFd point(::open(device.target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!point) return std::unexpected(errno_error("create", device.target));
    if (auto done = attach_tree(device.tree.get(), device.target); !done) return done;
  }
  for (const char* name : {"dev/pts", "dev/shm"}) {
    if (::mkdir(name, 0755) != 0) return std::unexpected(errno_error("mkdir", name));
  }
  // gid 5 is tty; a user namespace with one mapped group has none.
  const char* pts = own_user_namespace ? "newinstance,ptmxmode=0666,mode=0620"
                                       : "newinstance,ptmxmode=0666,mode=0620,gid=5";
  if (auto done = mount_virtual("devpts", "dev/pts", MS_NOEXEC, pts); !done) return done;
  if (auto done = mount_virtual("tmpfs", "dev/shm", MS_NODEV, "mode=1777"); !done) return done;
  const std::pair<const char*, const char*> links[] = {{"pts/ptmx", "dev/ptmx"},
                                                       {"/proc/self/fd", "dev/fd"},
                                                       {"/proc/self/fd/0", "dev/stdin"},
                                                       {"/proc/self/fd/1", "dev/stdout"},
                                                       {"/proc/self/fd/2", "dev/stderr"}};
  for (const auto& [target, name] : links) {
    if (::symlink(target, name) != 0) return std::unexpected(errno_error("symlink", name));
  }
  if (auto done = mount_virtual("tmpfs", "tmp", MS_NODEV, "mode=1777"); !done) return done;
  return mount_virtual("tmpfs", "run", MS_NODEV, "mode=755");
}

Result<> enter_root() {
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return std::unexpected(errno_error("pivot_root"));
  if (::umount2(".", MNT_DETACH) != 0)
    return std::unexpected(errno_error("umount", "the old root"));
  if (::chdir("/") != 0) return std::unexpected(errno_error("chdir", "/"));
  return {};
}

// Directories that programs expect in the new /run and beside it.
Result<> make_runtime_directories(const SessionSpec& spec) {
  struct stat status;
  if (::lstat("/var/tmp", &status) == 0 && S_ISDIR(status.st_mode)) {
    if (auto done = mount_virtual("tmpfs", "/var/tmp", MS_NODEV, "mode=1777"); !done) return done;
  }
  if (::lstat("/var/run", &status) == 0 && S_ISDIR(status.st_mode)) {
    if (auto done = mount_virtual("tmpfs", "/var/run", MS_NODEV, "mode=755"); !done) return done;
  }
  const std::string user = "/run/user/" + std::to_string(spec.uid);
  for (const char* path : {"/run/lock", "/run/user"}) {
    if (::mkdir(path, 0755) != 0) return std::unexpected(errno_error("mkdir", path));
  }
  if (::chmod("/run/lock", 01777) != 0) return std::unexpected(errno_error("chmod", "/run/lock"));
  if (::mkdir(user.c_str(), 0700) != 0) return std::unexpected(errno_error("mkdir", user));
  if (::chown(user.c_str(), spec.uid, spec.gid) != 0)
    return std::unexpected(errno_error("chown", user));
  return {};
}

Result<> mask(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return {};  // Nothing to hide.
  if (S_ISDIR(status.st_mode)) {
    return mount_virtual("tmpfs", path, MS_NODEV | MS_NOEXEC | MS_RDONLY, "mode=0,size=4k");
  }
  auto tree = clone_tree(kMaskFile);
  if (!tree) return std::unexpected(tree.error());
  if (auto done = set_tree_attributes(tree->get(), kHostTree, 0); !done) return done;
  return attach_tree(tree->get(), path);
}

// Follows symbolic links whose last target does not exist yet (resolv.conf often points into /run).
std::string resolve_links(std::string path) {
  for (int hops = 0; hops < 8; ++hops) {
    std::string target(4096, '\0');
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    if (length <= 0) break;
    target.resize(static_cast<std::size_t>(length));
    path = target.front() == '/' ? target : path.substr(0, path.rfind('/') + 1) + target;
  }
  return path;
}

Result<> provide(const ProvidedFile& file, std::size_t index) {
  const std::string staged = "/.provided-" + std::to_string(index);
  UniqueFd out(::open(staged.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!out) return std::unexpected(errno_error("create", staged));
  if (auto written = write_all(out.get(), file.content, staged); !written) return written;
  out.reset();
  auto tree = clone_tree(staged);
  if (!tree) return std::unexpected(tree.error());
  if (auto done = set_tree_attributes(tree->get(), kHostTree, 0); !done) return done;
  const std::string target = resolve_links(file.path);
  if (auto made = ensure_mount_point(target, false); !made) return made;
  if (auto done = attach_tree(tree->get(), target); !done) return done;
  if (::unlink(staged.c_str()) != 0) return std::unexpected(errno_error("unlink", staged));
  return {};
}

Result<> seal_root() {
  if (::mount(nullptr, "/proc", nullptr,
              MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return std::unexpected(errno_error("remount", "/proc"));
  }
  if (::mount(nullptr, "/dev", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
              nullptr) != 0) {
    return std::unexpected(errno_error("remount", "/dev"));
  }
  if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, nullptr) != 0) {
    return std::unexpected(errno_error("remount", "/"));
  }
  return {};
}

}  // namespace

Result<> build_filesystem(const SessionSpec& spec) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return std::unexpected(errno_error("mount", "/ private"));
  }
  auto binds = open_binds(spec);
  if (!binds) return std::unexpected(binds.error());
  auto devices = open_devices();
  if (!devices) return std::unexpected(devices.error());
  auto top = open_top_level();
  if (!top) return std::unexpected(top.error());

  if (auto done = mount_virtual("tmpfs", kStagingDirectory, MS_NODEV, "mode=755,size=1m"); !done)
    return done;
  if (::chdir(kStagingDirectory) != 0)
    return std::unexpected(errno_error("chdir", kStagingDirectory));
  if (auto done = populate_root(*top, *devices, spec.own_user_namespace); !done) return done;
  if (auto done = enter_root(); !done) return done;
  if (auto done = make_runtime_directories(spec); !done) return done;

  UniqueFd mask_file(::open(kMaskFile, O_WRONLY | O_CREAT | O_CLOEXEC, 0));
  if (!mask_file) return std::unexpected(errno_error("create", kMaskFile));
  mask_file.reset();
  for (const Attachment& bind : *binds) {
    if (auto made = ensure_mount_point(bind.target, bind.directory); !made) return made;
    if (auto done = attach_tree(bind.tree.get(), bind.target); !done) return done;
  }
  for (const std::string& path : spec.masked) {
    if (auto done = mask(path); !done) return done;
  }
  for (std::size_t i = 0; i < spec.files.size(); ++i) {
    if (auto done = provide(spec.files[i], i); !done) return done;
  }
  return seal_root();
}

}  // namespace agentsh::sandbox
