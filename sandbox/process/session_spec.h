// What a session's init has to build before the first command runs: identity, view of the
// filesystem, network, restrictions. Made by the daemon (launcher.h), read once by init
// (init/main.cc).
#pragma once

#include "sandbox/process/wire.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace agentsh::sandbox {

struct BindMount {
  std::string source;  // Path in the daemon's view.
  std::string target;  // Path in the session's view.
  bool writable = false;
  bool create_source = false;  // mkdir -p the source first, as the session's user.
  bool optional = false;       // A missing source is skipped instead of an error.
};
template <class Archive>
void describe(Archive& archive, BindMount& bind) {
  archive(bind.source, bind.target, bind.writable, bind.create_source, bind.optional);
}

// A file that exists in the session only, bound read-only over `path` (resolved through symbolic
// links).
struct ProvidedFile {
  std::string path;
  std::string content;
};
template <class Archive>
void describe(Archive& archive, ProvidedFile& file) {
  archive(file.path, file.content);
}

struct ResourceLimit {
  int resource = 0;  // RLIMIT_*
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
template <class Archive>
void describe(Archive& archive, ResourceLimit& limit) {
  archive(limit.resource, limit.soft, limit.hard);
}

struct SessionSpec {
  std::string id;

  // Identity of every command. Without root, uid and gid are the caller's own and groups stay as
  // they are.
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool own_user_namespace = false;  // Rootless.

  // Off: in the host's namespaces, where neither they nor mounts can be had. Then the session is
  // held by Landlock and seccomp alone: `binds` is empty, `masked` is left out of what Landlock
  // lets be read, `files` are written into `private_directory`, and commands wait for the daemon at
  // connect(2) and chmod(2).
  bool own_namespaces = true;
  std::string private_directory;  // Made for it, mode 0700; where it may write beside `writable`.
  std::string notifier_program;   // seccomp/filter.h, build_connect_notifier().

  // Filesystem. The session sees the host's root read-only, without its /proc, /sys, /dev, /run and
  // temporary directories; `binds` go on top in order, then `masked` paths (a directory becomes
  // empty and closed, a file unreadable), then `files`.
  std::vector<BindMount> binds;
  std::vector<std::string> masked;
  std::vector<ProvidedFile> files;

  // Landlock: what may be written, beside /tmp, /var/tmp, /dev/shm, /run and the session's devices.
  std::vector<std::string> writable;
  bool require_landlock = true;

  // cBPF programs for seccomp(2), installed in this order (seccomp/filter.h).
  std::vector<std::string> seccomp_programs;

  std::vector<ResourceLimit> limits;
};
template <class Archive>
void describe(Archive& archive, SessionSpec& spec) {
  archive(spec.id, spec.uid, spec.gid, spec.groups, spec.own_user_namespace, spec.own_namespaces,
          spec.private_directory, spec.notifier_program, spec.binds, spec.masked, spec.files,
          spec.writable, spec.require_landlock, spec.seccomp_programs, spec.limits);
}

}  // namespace agentsh::sandbox
