#include "tests/unit/http/peers.h"

#include "base/file_io.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace agentsh::http {
namespace {

constexpr int kPatienceMs = 5000;

// Starts a program with its output in a pipe, errors thrown away.
pid_t start(const std::vector<std::string>& arguments, UniqueFd& output) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -1;
  const UniqueFd write_end(ends[1]);
  output = UniqueFd(ends[0]);
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, 0);
  ::dup2(write_end.get(), 1);
  ::dup2(null, 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

UniqueFd connect_to(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return {};
  }
  return socket;
}

std::vector<std::string> seen_in(std::string_view text) {
  constexpr std::string_view kField = "X-Seen: ";
  std::vector<std::string> seen;
  for (std::size_t at = text.find(kField); at != std::string_view::npos;
       at = text.find(kField, at)) {
    at += kField.size();
    seen.emplace_back(text.substr(at, text.find("\r\n", at) - at));
  }
  return seen;
}

}  // namespace

Peers::Peers() {
  std::string pattern = std::filesystem::temp_directory_path() / "agentsh-peers-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return;
  directory_ = pattern;
  if (start_script("node", "echo.js", "node")) start_nginx();
  start_script("python3", "echo.py", "python");
}

Peers::~Peers() {
  for (pid_t process : processes_) {
    ::kill(process, SIGTERM);
    ::waitpid(process, nullptr, 0);
  }
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
}

bool Peers::start_script(const char* interpreter, const char* script, const char* name) {
  const std::string socket = fmt::format("{}/{}.sock", directory_, name);
  UniqueFd output;
  const pid_t process =
      start({interpreter, fmt::format("{}/peers/{}", AGENTSH_HTTP_TESTS, script), socket}, output);
  if (process < 0) return false;
  processes_.push_back(process);
  char byte = 0;  // "ready\n", or end of file when it could not start.
  while (byte != '\n') {
    if (::read(output.get(), &byte, 1) <= 0) return false;
  }
  peers_.push_back({name, socket});
  return true;
}

// nginx does not say when it is ready: its socket is tried until it answers.
void Peers::start_nginx() {
  const std::string config = fmt::format(R"(
daemon off; master_process off; pid {0}/nginx.pid; error_log /dev/null;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi; uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
  large_client_header_buffers 4 64k; keepalive_timeout 75s;
  server {{
    listen unix:{0}/nginx.sock;
    location / {{ proxy_pass http://unix:{0}/node.sock; proxy_set_header Host a.example; }}
  }}
}}
)",
                                         directory_);
  if (!write_file_atomic(directory_ + "/nginx.conf", config)) return;
  UniqueFd output;
  const pid_t process =
      start({"nginx", "-p", directory_, "-c", directory_ + "/nginx.conf"}, output);
  if (process < 0) return;
  processes_.push_back(process);
  const std::string socket = directory_ + "/nginx.sock";
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (connect_to(socket)) {
      peers_.push_back({"nginx", socket});
      return;
    }
    // Returns early when nginx is not installed or refuses its configuration: its end is closed.
    pollfd ended{.fd = output.get(), .events = POLLIN};
    if (::poll(&ended, 1, 20) != 0) return;
  }
}

PeerAnswer Peers::exchange(const Peer& peer, std::string_view bytes) {
  const UniqueFd socket = connect_to(peer.socket);
  if (!socket) return {};
  // MSG_NOSIGNAL: a peer that refused the first part has closed already.
  ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  std::string text;
  std::array<char, 16384> buffer;
  while (true) {
    pollfd readable{.fd = socket.get(), .events = POLLIN};
    if (::poll(&readable, 1, kPatienceMs) <= 0) return {seen_in(text), false};
    const ssize_t got = ::read(socket.get(), buffer.data(), buffer.size());
    if (got <= 0) return {seen_in(text), true};
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace agentsh::http
