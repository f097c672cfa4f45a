#include "tests/unit/sqlguard/local_server.h"

#include "sqlguard/codec/startup.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

extern char** environ;

namespace agentsh::sql {
namespace {

constexpr int kPatience = 60'000;
constexpr int kAnswerPatience = 10'000;

}  // namespace

LocalServer::LocalServer(const std::string& sql) {
  int said[2], stop[2];
  if (::pipe2(said, O_CLOEXEC) != 0 || ::pipe2(stop, O_CLOEXEC) != 0) return;
  const UniqueFd read_said(said[0]), read_stop(stop[0]);
  UniqueFd write_said(said[1]);
  stop_ = UniqueFd(stop[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, read_stop.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_said.get(), 1);
  std::string program = AGENTSH_LOCAL_SERVER, text = sql;
  std::array<char*, 3> argv = {program.data(), text.data(), nullptr};
  const int failed = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    pid_ = -1;
    return;
  }
  char c = 0;
  pollfd ready{.fd = read_said.get(), .events = POLLIN, .revents = 0};
  // Our copy of the other end would hide that the script ended.
  write_said.reset();
  while (::poll(&ready, 1, kPatience) == 1 && ::read(read_said.get(), &c, 1) == 1 && c != '\n')
    directory_ += c;
}

LocalServer::~LocalServer() {
  stop_.reset();
  int status = 0;
  if (pid_ > 0) ::waitpid(pid_, &status, 0);
}

ServerConnection::ServerConnection(const LocalServer& server)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = server.directory() + "/.s.PGSQL.5432";
  std::memcpy(static_cast<void*>(address.sun_path), path.c_str(), path.size() + 1);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return;
  ByteWriter out;
  write(StartupMessage{.parameters = {{"user", "postgres"}, {"database", "postgres"}}}, out);
  if (send(out.view())) answer();
}

bool ServerConnection::send(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

std::vector<std::uint8_t> ServerConnection::answer() {
  std::vector<std::uint8_t> bytes;
  std::size_t at = 0;
  std::array<std::uint8_t, 1 << 16> buffer;
  pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ready, 1, kAnswerPatience) == 1) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return {};
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + got);
    while (true) {
      const auto frame = read_frame(Bytes(bytes).subspan(at), Direction::kBackend);
      if (!frame || !*frame) break;
      at += (*frame)->size;
      if ((*frame)->type == 'Z') return bytes;
    }
  }
  return {};
}

std::vector<std::uint8_t> ServerConnection::query(std::string_view sql) {
  return ask({Query{sql}});
}

std::vector<std::uint8_t> ServerConnection::ask(const std::vector<FrontendMessage>& messages) {
  ByteWriter out;
  for (const FrontendMessage& message : messages) write(message, out);
  return send(out.view()) ? answer() : std::vector<std::uint8_t>();
}

}  // namespace agentsh::sql
