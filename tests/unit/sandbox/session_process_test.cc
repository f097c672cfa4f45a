// Real sessions, without the appliance: what a command sees, what it may not do, and that
// everything ends.
#include "base/file_io.h"
#include "base/random.h"
#include "sandbox/process/cgroup.h"
#include "sandbox/process/launcher.h"
#include "sandbox/seccomp/filter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

namespace agentsh::sandbox {
namespace {

struct Outcome {
  int status = -1;
  std::string output;
  std::string failure;
  bool directory = false;
  int exit_code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }
};

std::string init_program() {
  const char* elsewhere = std::getenv("AGENTSH_INIT");
  return elsewhere != nullptr ? elsewhere : AGENTSH_INIT;
}

class SessionProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    workspace_ = "/tmp/agentsh-test-" + random_name(8);
    std::filesystem::create_directory(workspace_);
    auto programs = build_seccomp_programs(SocketRules::kOwnNetwork);
    ASSERT_TRUE(programs) << programs.error().what;
    spec_.id = "test";
    // As root the kernel gives the namespaces; as anybody else a user namespace of one's own does.
    spec_.uid = ::geteuid();
    spec_.gid = ::getegid();
    spec_.own_user_namespace = ::geteuid() != 0;
    spec_.binds = {{workspace_, workspace_, true, false, false}};
    spec_.writable = {workspace_};
    spec_.seccomp_programs = *programs;
  }
  void TearDown() override {
    session_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(workspace_, ignored);
  }

  void start() {
    auto session =
        SessionProcess::launch(spec_, init_program(), [this](SessionSockets sockets, pid_t) {
          sockets_ = std::move(sockets);
          return Result<Proceed>(Proceed{});
        });
    ASSERT_TRUE(session) << session.error().what;
    session_ = std::move(*session);
  }

  // Runs a command with its output in a pipe and waits for its end.
  Outcome run(std::vector<std::string> argv, std::uint8_t terminal = 0) {
    Outcome outcome;
    int pipe_fds[2];
    EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
    UniqueFd reader(pipe_fds[0]), writer(pipe_fds[1]),
        null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Spawn request;
    request.path = argv.front();
    request.argv = argv;
    request.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root"};
    request.directory = directory_.empty() ? workspace_ : directory_;
    request.terminal_fds = terminal;
    std::vector<int> fds;
    for (int i = 0; i < 3; ++i) {
      if ((terminal >> i & 1) == 0) fds.push_back(i == 0 ? null.get() : writer.get());
    }
    bool over = false;
    UniqueFd master;
    auto id = session_->spawn(request, fds,
                              {[&](pid_t, UniqueFd fd) { master = std::move(fd); },
                               [&](const SpawnFailed& failed) {
                                 outcome.failure = failed.what;
                                 outcome.directory = failed.directory;
                                 over = true;
                               },
                               [&](const Exited& exited) {
                                 outcome.status = exited.status;
                                 over = true;
                               }});
    EXPECT_TRUE(id);
    writer.reset();
    while (!over) {
      auto handled = session_->handle_message();
      if (!handled) {
        outcome.failure = handled.error().what;
        return outcome;
      }
    }
    UniqueFd& source = terminal ? master : reader;
    char buffer[4096];
    ssize_t got;
    while ((got = ::read(source.get(), buffer, sizeof buffer)) > 0) {
      outcome.output.append(buffer, static_cast<std::size_t>(got));
    }
    return outcome;
  }
  Outcome shell(const std::string& script) { return run({"sh", "-c", script}); }

  std::string workspace_;
  std::string directory_;
  SessionSpec spec_;
  SessionSockets sockets_;
  std::unique_ptr<SessionProcess> session_;
};

TEST_F(SessionProcessTest, RunsCommands) {
  start();
  Outcome outcome = shell("echo hello; pwd; exit 7");
  EXPECT_EQ(outcome.exit_code(), 7);
  EXPECT_EQ(outcome.output, "hello\n" + workspace_ + "\n");
  EXPECT_EQ(shell("kill -9 $$").exit_code(), 137);
  EXPECT_EQ(sockets_.listeners.size() % 3, 0u);
}

// The number outside is known however late the daemon reads, also of what has ended and was reaped.
TEST_F(SessionProcessTest, TellsTheProcessOfCommandsThatEndedLongAgo) {
  constexpr int kCommands = 64;
  start();
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  UniqueFd reader(pipe_fds[0]), writer(pipe_fds[1]);
  std::map<pid_t, int> pids;
  int exited = 0;
  for (int i = 0; i < kCommands; ++i) {
    Spawn request;
    request.path = "sh";
    request.argv = {"sh", "-c", "exit 0"};
    request.directory = workspace_;
    const int fds[] = {reader.get(), writer.get(), writer.get()};
    ASSERT_TRUE(session_->spawn(request, fds,
                                {[&](pid_t pid, UniqueFd) { ++pids[pid]; },
                                 [](const SpawnFailed& failed) { ADD_FAILURE() << failed.what; },
                                 [&](const Exited&) { ++exited; }}));
  }
  Forked forked;
  Spawned spawned;
  Exited end;
  const std::size_t expected =
      kCommands * (packet_bytes(MessageKind::kForked, to_wire(forked)).size() +
                   packet_bytes(MessageKind::kSpawned, to_wire(spawned)).size() +
                   packet_bytes(MessageKind::kExited, to_wire(end)).size());
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int unread = 0;
  while (static_cast<std::size_t>(unread) < expected) {
    ASSERT_EQ(::ioctl(session_->control_fd(), FIONREAD, &unread), 0);
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << unread << " of " << expected;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (exited < kCommands) ASSERT_TRUE(session_->handle_message());
  EXPECT_EQ(pids.count(0), 0u);
  EXPECT_EQ(pids.size(), static_cast<std::size_t>(kCommands));
}

TEST_F(SessionProcessTest, NumbersACommandAsTheHostDoes) {
  start();
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  UniqueFd reader(pipe_fds[0]), writer(pipe_fds[1]);
  Spawn request;
  request.path = "cat";
  request.argv = {"cat"};
  request.environment = {"MARK=" + workspace_};
  request.directory = workspace_;
  const int fds[] = {reader.get(), 2, 2};
  pid_t pid = 0;
  bool over = false;
  ASSERT_TRUE(session_->spawn(
      request, fds,
      {[&](pid_t outside, UniqueFd) { pid = outside; }, [&](const SpawnFailed&) { over = true; },
       [&](const Exited&) { over = true; }}));
  while (pid == 0 && !over) ASSERT_TRUE(session_->handle_message());
  ASSERT_NE(pid, 0);
  // It is told before its exec.
  const std::string comm = "/proc/" + std::to_string(pid) + "/comm";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (read_file(comm, 100).value_or("") != "cat\n") {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  // Its parent is the session's init.
  const std::string status =
      read_file("/proc/" + std::to_string(pid) + "/status", 8192).value_or("");
  EXPECT_THAT(status, ::testing::HasSubstr("PPid:\t" + std::to_string(session_->init_pid())));
  writer.reset();
  while (!over) ASSERT_TRUE(session_->handle_message());
}

TEST_F(SessionProcessTest, TellsWhyACommandDidNotStart) {
  start();
  EXPECT_EQ(run({"no-such-program"}).failure, "no-such-program: command not found");
  EXPECT_EQ(run({"/etc/passwd"}).failure, "/etc/passwd: Permission denied");
  directory_ = "/nowhere";
  Outcome outcome = run({"true"});
  EXPECT_EQ(outcome.failure, "chdir /nowhere: No such file or directory");
  EXPECT_TRUE(outcome.directory);
}

TEST_F(SessionProcessTest, RunsScriptsWithoutAShebangAsShellsDo) {
  start();
  ASSERT_TRUE(write_file_atomic(workspace_ + "/script", "echo from $0 $1\n", 0755));
  EXPECT_EQ(run({"./script", "x"}).output, "from ./script x\n");
}

TEST_F(SessionProcessTest, SeesAReadOnlySystemAndAWritableWorkspace) {
  start();
  EXPECT_EQ(shell("echo x > file && cat file && mkdir d && mv file d/ && ln -s d/file l && cat l")
                .exit_code(),
            0);
  for (const char* path : {"/etc/evil", "/usr/bin/evil", "/root/evil", "/evil", "/var/lib/evil",
                           "/proc/sys/kernel/core_pattern"}) {
    Outcome outcome = shell(std::string("echo x > ") + path);
    EXPECT_NE(outcome.exit_code(), 0) << path;
    std::error_code hidden;
    EXPECT_FALSE(std::string_view(path).ends_with("evil") && std::filesystem::exists(path, hidden))
        << path;
  }
  EXPECT_EQ(shell("echo x > /tmp/$$.agentsh && echo x > /dev/shm/t && echo x > /var/tmp/t && echo "
                  "x > /dev/null")
                .exit_code(),
            0);
  EXPECT_EQ(shell("ls /tmp").output.find(".agentsh") != std::string::npos, true);
  for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
    EXPECT_FALSE(entry.path().extension() == ".agentsh") << entry.path();
  }
}

TEST_F(SessionProcessTest, HidesTheHostsRuntime) {
  const std::string secret = "/tmp/agentsh-secret-" + random_name(6);
  ASSERT_TRUE(write_file_atomic(secret, "s"));
  spec_.masked = {"/etc/shadow", "/var/lib", "/nonexistent/path"};
  start();
  EXPECT_NE(shell("cat " + secret).exit_code(), 0);
  std::filesystem::remove(secret);
  EXPECT_NE(shell("cat /etc/shadow").exit_code(), 0);
  EXPECT_NE(shell("ls /var/lib").exit_code(), 0);
  EXPECT_EQ(shell("ls /dev | sort | tr '\\n' ' '").output,
            "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ");
  EXPECT_EQ(shell("ls /run | sort | tr '\\n' ' '").output, "lock user ");
  EXPECT_EQ(shell("ls /sys/fs/cgroup").output, "");
  EXPECT_EQ(shell("set -- /proc/[0-9]*; echo $#").output, "2\n");
}

TEST_F(SessionProcessTest, ProvidesFiles) {
  spec_.files = {{"/etc/resolv.conf", "nameserver 198.18.0.2\n"},
                 {"/etc/hosts", "127.0.0.1 localhost\n"}};
  start();
  EXPECT_EQ(shell("cat /etc/resolv.conf /etc/hosts").output,
            "nameserver 198.18.0.2\n127.0.0.1 localhost\n");
  EXPECT_NE(shell("echo x > /etc/resolv.conf").exit_code(), 0);
  EXPECT_EQ(shell("ls -a / | grep provided").output, "");
}

TEST_F(SessionProcessTest, HasNoPrivilegeLeft) {
  start();
  EXPECT_EQ(
      shell("grep -h -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status | "
            "tr -d '\\t' | tr '\\n' ' '")
          .output,
      "CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 "
      "CapBnd:0000000000000000 "
      "CapAmb:0000000000000000 NoNewPrivs:1 Seccomp:2 ");
  for (const char* attempt :
       {"mount -t tmpfs none /tmp", "umount /proc", "unshare -Ur true", "unshare -n true",
        "chroot / true", "hostname x", "dmesg", "kill -9 1 && kill -0 1 && false",
        "prlimit --pid 1 --nofile=1", "nsenter -t 1 -m true", "mknod /tmp/d b 8 0",
        "ip link set lo down", "ip link add d type dummy", "setpriv --reuid 1 true"}) {
    EXPECT_NE(shell(attempt).exit_code(), 0) << attempt;
  }
  EXPECT_EQ(shell("true").exit_code(), 0);
}

TEST_F(SessionProcessTest, HasLoopbackOnly) {
  start();
  EXPECT_EQ(shell("ls /sys/class/net").output, "lo\n");
  EXPECT_EQ(shell("cat /proc/net/dev | tail -n +3 | wc -l").output, "1\n");
}

TEST_F(SessionProcessTest, GivesATerminalWhereAsked) {
  start();
  EXPECT_EQ(run({"sh", "-c", "test -t 0 && test -t 1 && test -t 2 && tty && stty size"}, 7).output,
            "/dev/pts/0\r\n24 80\r\n");
  EXPECT_EQ(run({"sh", "-c", "test -t 1 || test ! -t 0 || echo stdin only"}, 1).exit_code(), 0);
}

TEST_F(SessionProcessTest, RunsAsAnOrdinaryUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can switch users";
  spec_.uid = 1234;
  spec_.gid = 1235;
  spec_.groups = {1236};
  ASSERT_EQ(::chown(workspace_.c_str(), 1234, 1235), 0);
  start();
  EXPECT_EQ(shell("id -u; id -g; id -G; touch made; stat -c %u:%g made").output,
            "1234\n1235\n1235 1236\n1234:1235\n");
}

TEST_F(SessionProcessTest, EndsEverything) {
  start();
  const std::string marker = workspace_ + "/alive";
  // A daemonised child with its own session that ignores signals and holds no pipe of ours.
  shell("setsid sh -c 'trap \"\" HUP TERM INT; exec >/dev/null 2>&1; while :; do date > " + marker +
        "; sleep 0.01; done' &");
  for (int i = 0; i < 500 && !std::filesystem::exists(marker); ++i) ::poll(nullptr, 0, 10);
  ASSERT_TRUE(std::filesystem::exists(marker));
  session_.reset();
  std::filesystem::remove(marker);
  ::poll(nullptr, 0, 100);
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST_F(SessionProcessTest, AnErrorInSetUpIsReported) {
  spec_.binds.push_back({"/nonexistent/source", "/mnt", false, false, false});
  auto session = SessionProcess::launch(
      spec_, init_program(), [](SessionSockets, pid_t) { return Result<Proceed>(Proceed{}); });
  ASSERT_FALSE(session);
  EXPECT_NE(session.error().what.find("/nonexistent/source"), std::string::npos)
      << session.error().what;
}

}  // namespace
}  // namespace agentsh::sandbox
