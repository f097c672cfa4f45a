#include "proxy/bpf/kernel_programs.h"

#include "redirect.skel.h"

#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>

namespace agentsh::bpf {
namespace {

// The kernel's fixed inode of the initial PID namespace.
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFCu;

// What libbpf complained of while this thread was loading.
thread_local std::string* complaints = nullptr;

int collect_complaint(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG || complaints == nullptr) return 0;
  char line[1024];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  if (length > 0) complaints->append(line);
  return length;
}

class ComplaintCollector {
 public:
  ComplaintCollector() {
    libbpf_set_print(collect_complaint);
    complaints = &text_;
  }
  ~ComplaintCollector() { complaints = nullptr; }
  ComplaintCollector(const ComplaintCollector&) = delete;
  ComplaintCollector& operator=(const ComplaintCollector&) = delete;

  // The last two lines that say something: the verifier's verdict and libbpf's.
  std::string summary() const {
    std::string_view text = text_;
    std::string last;
    for (int lines = 0; lines < 2 && !text.empty();) {
      while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
      const std::size_t start = text.rfind('\n');
      std::string_view line = start == std::string_view::npos ? text : text.substr(start + 1);
      text = start == std::string_view::npos ? std::string_view{} : text.substr(0, start);
      if (line.empty() || line.starts_with("--") || line.starts_with("processed ")) continue;
      last = last.empty() ? std::string(line) : std::string(line) + "; " + last;
      ++lines;
    }
    return last;
  }

 private:
  std::string text_;
};

Error load_error(int error, const ComplaintCollector& said) {
  Error result = errno_error(error, "load", "eBPF redirect");
  const std::string summary = said.summary();
  if (!summary.empty()) result.what += " (" + summary + ")";
  return result;
}

// Process ids are wanted in the daemon's own PID namespace, which is not the kernel's first one in
// a container.
void set_pid_namespace(redirect_bpf* object, bool known) {
  struct stat status{};
  if (!known || ::stat("/proc/self/ns/pid", &status) != 0) {
    object->rodata->pids_known = 0;
    return;
  }
  if (status.st_ino == kInitialPidNamespace) return;
  object->rodata->pid_namespace_device = status.st_dev;
  object->rodata->pid_namespace_inode = status.st_ino;
}

}  // namespace

Result<std::shared_ptr<KernelPrograms>> KernelPrograms::load() {
  auto loaded = load_with(true);
  // Older kernels (6.9 and before) cannot translate process ids in these hooks.
  if (!loaded) {
    if (auto without = load_with(false)) return without;
  }
  return loaded;
}

Result<std::shared_ptr<KernelPrograms>> KernelPrograms::load_with(bool try_pids) {
  ComplaintCollector said;
  redirect_bpf* object = redirect_bpf__open();
  if (object == nullptr) return std::unexpected(load_error(errno, said));
  std::shared_ptr<KernelPrograms> programs(new KernelPrograms(object));
  set_pid_namespace(object, try_pids);
  programs->pids_known_ = object->rodata->pids_known != 0;
  if (const int error = redirect_bpf__load(object); error != 0) {
    return std::unexpected(load_error(-error, said));
  }
  programs->list_hooks();
  return programs;
}

KernelPrograms::~KernelPrograms() {
  redirect_bpf__destroy(object_);
}

void KernelPrograms::list_hooks() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_->obj) {
    hooks_.push_back({bpf_program__fd(program), bpf_program__expected_attach_type(program),
                      bpf_program__name(program)});
  }
}

int KernelPrograms::sessions() const {
  return bpf_map__fd(object_->maps.sessions);
}
int KernelPrograms::flows() const {
  return bpf_map__fd(object_->maps.flows);
}
int KernelPrograms::queries() const {
  return bpf_map__fd(object_->maps.queries);
}
int KernelPrograms::denial_tables() const {
  return bpf_map__fd(object_->maps.denial_tables);
}
int KernelPrograms::refusal_ring() const {
  return bpf_map__fd(object_->maps.refusal_ring);
}
int KernelPrograms::refusal_table(std::uint32_t epoch) const {
  return bpf_map__fd(epoch % 2 == 0 ? object_->maps.refusals_even : object_->maps.refusals_odd);
}
int KernelPrograms::counters() const {
  return bpf_map__fd(object_->maps.counters);
}

std::uint32_t KernelPrograms::flip_refusal_epoch() {
  const std::uint32_t old = object_->bss->refusal_epoch;
  object_->bss->refusal_epoch = old + 1;
  // Programs run inside an RCU read section, and this command waits for one grace period.
  ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
  return old;
}

std::uint32_t KernelPrograms::reserve_table() {
  auto tables = tables_.lock();
  const auto free = std::ranges::find(*tables, false);
  if (free == tables->end()) return abi::kNoDenialTable;
  *free = true;
  return static_cast<std::uint32_t>(free - tables->begin());
}

void KernelPrograms::free_table(std::uint32_t index) {
  // The kernel waits until no program uses the table before this returns.
  bpf_map_delete_elem(denial_tables(), &index);
  (*tables_.lock())[index] = false;
}

}  // namespace agentsh::bpf
