#include "proxy/bpf/redirector.h"

#include "base/file_io.h"
#include "base/random.h"
#include "proxy/bpf/kernel_programs.h"
#include "proxy/bpf/refusal_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace agentsh::bpf {
namespace {

// Newer than Debian 12's headers know, not newer than its kernel.
constexpr int kSocketNetnsCookie = 71;  // SO_NETNS_COOKIE

// A cgroup that goes with the object.
class ThrowAwayCgroup {
 public:
  static Result<ThrowAwayCgroup> make(const std::string& parent) {
    ThrowAwayCgroup made(parent + "/agentsh-probe-" + random_name(12));
    if (::mkdir(made.path_.c_str(), 0700) != 0) {
      const Error error = errno_error("mkdir", made.path_);
      made.path_.clear();
      return std::unexpected(error);
    }
    made.fd_.reset(::open(made.path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!made.fd_) return std::unexpected(errno_error("open", made.path_));
    return made;
  }
  ThrowAwayCgroup(ThrowAwayCgroup&& other) noexcept
      : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
  ThrowAwayCgroup& operator=(ThrowAwayCgroup&&) = delete;
  ~ThrowAwayCgroup() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }
  int fd() const { return fd_.get(); }

 private:
  explicit ThrowAwayCgroup(std::string path) : path_(std::move(path)) {}
  std::string path_;
  UniqueFd fd_;
};

// The kernel's id of a cgroup, which is the inode number of its directory.
Result<std::uint64_t> cgroup_id(int fd) {
  struct statfs filesystem{};
  struct stat status{};
  if (::fstatfs(fd, &filesystem) != 0 || ::fstat(fd, &status) != 0) {
    return std::unexpected(errno_error("stat", "cgroup"));
  }
  if (filesystem.f_type != CGROUP2_SUPER_MAGIC)
    return fail("the session's cgroup is not cgroup v2");
  return status.st_ino;
}

void copy_words(const IpAddress& address, std::uint32_t out[4]) {
  std::memcpy(out, address.bytes().data(), 16);
}
std::uint32_t word_v4(const IpAddress& address) {
  std::uint32_t words[4];
  copy_words(address, words);
  return words[3];
}

// Puts `value` into the next free place and, so that unused places repeat the first, into all the
// others when it is the first.
template <class T, std::size_t N>
Result<> put(T (&places)[N], std::uint32_t& used, const T& value, std::string_view what) {
  if (used >= N)
    return fail("at most " + std::to_string(N) + " " + std::string(what) + " fit a session");
  for (std::size_t i = used; i < (used == 0 ? N : used + 1); ++i) places[i] = value;
  ++used;
  return {};
}

struct Words {
  std::uint32_t word[4];
};

Result<> put_listeners(const std::vector<netns::ListenerEndpoint>& listeners,
                       abi::SessionConfig& config) {
  for (const netns::ListenerEndpoint& listener : listeners) {
    if (listener.tcp_port == 0 || listener.dns_tcp_port == 0 || listener.dns_udp_port == 0) {
      return fail("a listener on " + listener.address.to_string() + " has no port");
    }
    Result<> done;
    if (listener.address.is_v4()) {
      const abi::Listener4 value{word_v4(listener.address), listener.tcp_port,
                                 listener.dns_tcp_port, listener.dns_udp_port, 0};
      done = put(config.listeners4, config.listener_count4, value, "IPv4 listeners");
    } else {
      abi::Listener6 value{{}, listener.tcp_port, listener.dns_tcp_port, listener.dns_udp_port, 0};
      copy_words(listener.address, value.address);
      done = put(config.listeners6, config.listener_count6, value, "IPv6 listeners");
    }
    if (!done) return done;
  }
  if (listeners.empty()) return fail("a session needs at least one listener");
  return {};
}

Result<> put_own_addresses(const std::vector<IpAddress>& addresses, abi::SessionConfig& config) {
  std::uint32_t used4 = 0;
  std::uint32_t used6 = 0;
  Words own6[abi::kMaxOwnAddresses]{};
  for (const IpAddress& address : addresses) {
    Result<> done;
    if (address.is_v4()) {
      done = put(config.own4, used4, word_v4(address), "own IPv4 addresses");
    } else {
      Words words;
      copy_words(address, words.word);
      done = put(own6, used6, words, "own IPv6 addresses");
    }
    if (!done) return done;
  }
  std::memcpy(config.own6, own6, sizeof config.own6);
  return {};
}

Result<abi::SessionConfig> make_config(const SessionRedirect& session) {
  if (session.netns_cookie == 0) return fail("a session needs its network namespace's cookie");
  abi::SessionConfig config{};
  config.netns_cookie = session.netns_cookie;
  config.denial_table = abi::kNoDenialTable;
  if (auto done = put_listeners(session.listeners, config); !done)
    return std::unexpected(done.error());
  if (auto done = put_own_addresses(session.own_addresses, config); !done) {
    return std::unexpected(done.error());
  }
  return config;
}

}  // namespace

Redirector::Redirector(std::shared_ptr<KernelPrograms> programs) : programs_(std::move(programs)) {}

Redirector::~Redirector() = default;

Result<std::unique_ptr<Redirector>> Redirector::create(Options options) {
  if (options.cgroup_parent.empty()) {
    auto mount = find_cgroup2();
    if (!mount) return std::unexpected(mount.error());
    options.cgroup_parent = *mount;
  }
  auto programs = KernelPrograms::load();
  if (!programs) return std::unexpected(programs.error());
  std::unique_ptr<Redirector> redirector(new Redirector(*programs));
  if (auto works = redirector->probe(options.cgroup_parent); !works) {
    return std::unexpected(with_context(works.error(), "eBPF redirect"));
  }
  RefusalReader::Options reading;
  reading.on_refusal = std::move(options.on_refusal);
  reading.report_interval = options.report_interval;
  reading.sweep = [self = redirector.get()] { self->sweep_flows(std::chrono::seconds(60)); };
  auto reader = RefusalReader::start(*programs, std::move(reading));
  if (!reader) return std::unexpected(reader.error());
  redirector->reader_ = std::move(*reader);
  return redirector;
}

Result<> Redirector::probe(const std::string& cgroup_parent) {
  auto cgroup = ThrowAwayCgroup::make(cgroup_parent);
  if (!cgroup) return std::unexpected(cgroup.error());
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(errno_error("socket"));
  auto cookie = netns_cookie(socket.get());
  if (!cookie) return std::unexpected(cookie.error());
  SessionRedirect session;
  session.cgroup_fd = cgroup->fd();
  session.netns_cookie = *cookie;
  session.listeners = {{netns::listener_address4(0), 1, 1, 1}};
  if (auto attached = attach(session); !attached) return std::unexpected(attached.error());
  return {};
}

Result<SessionLinks> Redirector::attach(const SessionRedirect& session) {
  auto config = make_config(session);
  if (!config) return std::unexpected(config.error());
  auto id = cgroup_id(session.cgroup_fd);
  if (!id) return std::unexpected(id.error());
  SessionLinks links;
  links.cgroup_.reset(::fcntl(session.cgroup_fd, F_DUPFD_CLOEXEC, 0));
  if (!links.cgroup_) return std::unexpected(errno_error("dup", "cgroup"));
  links.cgroup_id_ = *id;
  links.config_ = *config;
  links.programs_ = programs_;
  for (const Hook& hook : programs_->hooks()) {
    // By program, not by link: no descriptor per hook and session, and the refusal outlives the
    // daemon.
    const int error =
        bpf_prog_attach(hook.program, links.cgroup_.get(), hook.type, BPF_F_ALLOW_MULTI);
    if (error != 0) return std::unexpected(errno_error(-error, "attach", hook.name));
    ++links.attached_;
  }
  if (auto done = links.set_host_ports(session.host_ports); !done)
    return std::unexpected(done.error());
  if (auto done = links.set_denials(session.denials); !done) return std::unexpected(done.error());
  programs_->live_sessions().lock()->insert(config->netns_cookie);
  if (reader_) reader_->wake();
  return links;
}

namespace {

constexpr std::size_t kRecentTables = 4;

bool same_bytes(const DenialEntry& a, const DenialEntry& b) {
  static_assert(std::has_unique_object_representations_v<abi::DenialKey>);
  static_assert(std::has_unique_object_representations_v<abi::DenialValue>);
  return std::memcmp(&a.key, &b.key, sizeof a.key) == 0 &&
         std::memcmp(&a.value, &b.value, sizeof a.value) == 0;
}

}  // namespace

Result<std::shared_ptr<const DenialTable>> Redirector::load_denials(
    std::span<const StaticRule> rules) {
  CompiledDenials compiled = compile_denials(rules);
  std::shared_ptr<const DenialTable> displaced;  // Freed, if it is the last user, after unlocking.
  auto tables = tables_.lock();
  for (const auto& known : tables->known) {
    if (!std::ranges::equal(known.entries, compiled.entries, same_bytes)) continue;
    if (auto table = known.table.lock()) return table;
  }
  auto table = publish(compiled);
  if (!table) return table;
  std::erase_if(tables->known, [](const auto& known) { return known.table.expired(); });
  tables->known.push_back({std::move(compiled.entries), *table});
  tables->recent.push_back(*table);
  if (tables->recent.size() > kRecentTables) {
    displaced = std::move(tables->recent.front());
    tables->recent.pop_front();
  }
  return table;
}

Result<std::shared_ptr<const DenialTable>> Redirector::publish(const CompiledDenials& compiled) {
  bpf_map_create_opts options{};
  options.sz = sizeof options;
  options.map_flags = BPF_F_NO_PREALLOC;
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "denial_table", sizeof(abi::DenialKey),
                              sizeof(abi::DenialValue),
                              static_cast<std::uint32_t>(compiled.entries.size()), &options));
  if (!map) return std::unexpected(errno_error("create", "denial table"));
  for (const DenialEntry& entry : compiled.entries) {
    if (bpf_map_update_elem(map.get(), &entry.key, &entry.value, BPF_ANY) != 0) {
      return std::unexpected(errno_error("fill", "denial table"));
    }
  }
  const std::uint32_t index = programs_->reserve_table();
  if (index == abi::kNoDenialTable) {
    return fail("no room for another denial table", std::errc::no_buffer_space);
  }
  // From here on the object frees the index.
  std::shared_ptr<const DenialTable> table(new DenialTable(programs_, index));
  const int fd = map.get();
  if (bpf_map_update_elem(programs_->denial_tables(), &index, &fd, BPF_ANY) != 0) {
    return std::unexpected(errno_error("publish", "denial table"));
  }
  return table;
}

void Redirector::flush_refusals() {
  reader_->flush();
}

bool Redirector::pids_known() const {
  return programs_->pids_known();
}

Result<std::uint64_t> netns_cookie(int socket_fd) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (::getsockopt(socket_fd, SOL_SOCKET, kSocketNetnsCookie, &cookie, &length) != 0) {
    return std::unexpected(errno_error("getsockopt", "SO_NETNS_COOKIE"));
  }
  return cookie;
}

Result<std::string> find_cgroup2() {
  auto mounts = read_file("/proc/self/mountinfo");
  if (!mounts) return std::unexpected(mounts.error());
  std::string_view rest = *mounts;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.find(" - cgroup2 ") == std::string_view::npos) continue;
    // proc_pid_mountinfo(5): the fifth field is the mount point.
    std::string_view field = line;
    for (int skip = 0; skip < 4; ++skip) field.remove_prefix(field.find(' ') + 1);
    return std::string(field.substr(0, field.find(' ')));
  }
  return fail("no cgroup v2 hierarchy is mounted (mount -t cgroup2 none /sys/fs/cgroup)",
              std::errc::no_such_file_or_directory);
}

}  // namespace agentsh::bpf
