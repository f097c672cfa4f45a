// connect(2) and chmod(2) of a real child, done on its behalf.
#include "appliance/network/connect_supervisor.h"

#include "proxy/net/listener.h"
#include "tests/unit/sandbox/notified_child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace agentsh {
namespace {

sockaddr_in address4(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

int connect_errno(int socket, const sockaddr_in& address) {
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(socket, raw, sizeof address) == 0 ? 0 : errno;
}

class ConnectSupervisorTest : public testing::Test {
 protected:
  ConnectSupervisorTest() {
    char name[] = "/var/tmp/connect-supervisor-XXXXXX";
    directory_ = ::mkdtemp(name);
    std::filesystem::create_directory(directory_ + "/inside");
    for (const char* file : {"/outside", "/inside/file"})
      UniqueFd(::open((directory_ + file).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    auto opened = Ingress::open(*redirect_, {}, ::getpid(), {});
    if (!opened) return;
    ingress_ = opened->first;
    listeners_ = ingress_->take_tcp_listeners();
  }
  ~ConnectSupervisorTest() override {
    supervisor_.reset();
    std::filesystem::remove_all(directory_);
  }

  void supervise(sandbox::NotifiedChild& child) {
    UserIdentity user;
    user.uid = ::geteuid();
    user.gid = ::getegid();
    auto started = ConnectSupervisor::start(child.take_listener(), ingress_,
                                            MetadataCalls(user, {directory_ + "/inside"}));
    ASSERT_TRUE(started) << started.error().what;
    supervisor_ = std::move(*started);
  }

  // The next connection of 127.0.0.1, and where it comes from.
  std::pair<UniqueFd, Endpoint> accept() {
    pollfd entry{listeners_.at(0).get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    auto* raw = reinterpret_cast<sockaddr*>(&peer);
    UniqueFd socket(::accept4(listeners_.at(0).get(), raw, &size, SOCK_CLOEXEC));
    return {std::move(socket), Endpoint::from_sockaddr(raw, size).value_or(Endpoint())};
  }

  std::string directory_;
  std::unique_ptr<Redirect> redirect_ = Redirect::by_supervisor();
  std::shared_ptr<Ingress> ingress_;
  std::vector<UniqueFd> listeners_;
  std::unique_ptr<ConnectSupervisor> supervisor_;
};

TEST_F(ConnectSupervisorTest, TheListenerIsToldWhereItWantedToGo) {
  ASSERT_FALSE(listeners_.empty());
  sandbox::NotifiedChild child(
      [] { return connect_errno(::socket(AF_INET, SOCK_STREAM, 0), address4("192.0.2.7", 80)); });
  supervise(child);
  const auto [socket, peer] = accept();
  const auto origin = ingress_->origin_of(socket.get(), peer);
  ASSERT_TRUE(origin) << origin.error().what;
  EXPECT_EQ(origin->destination, (Endpoint{*IpAddress::parse("192.0.2.7"), 80}));
  EXPECT_EQ(origin->actor.pid, child.pid());
  EXPECT_FALSE(ingress_->origin_of(socket.get(), peer)) << "once only";
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ConnectSupervisorTest, AStrangerIsNotExpected) {
  ASSERT_FALSE(listeners_.empty());
  const auto listener = ingress_->listener(true);
  ASSERT_TRUE(listener);
  const UniqueFd stranger(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect_errno(stranger.get(), address4("127.0.0.1", listener->port)), 0);
  const auto [socket, peer] = accept();
  EXPECT_FALSE(ingress_->origin_of(socket.get(), peer));
}

TEST_F(ConnectSupervisorTest, OtherSourcesAndSocketsAreRefused) {
  sandbox::NotifiedChild child([] {
    const int bound = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in own = address4("127.9.9.9", 0);
    if (::bind(bound, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return 1;
    if (connect_errno(bound, address4("192.0.2.7", 80)) != EADDRNOTAVAIL) return 2;
    const int datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    if (connect_errno(datagrams, address4("192.0.2.7", 80)) != EPERM) return 3;
    if (connect_errno(999, address4("192.0.2.7", 80)) != EBADF) return 4;
    if (connect_errno(STDIN_FILENO, address4("192.0.2.7", 80)) == 0) return 5;
    return 0;
  });
  supervise(child);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(ConnectSupervisorTest, ModesChangeInsideOnly) {
  const std::string outside = directory_ + "/outside", inside = directory_ + "/inside/file";
  sandbox::NotifiedChild child([&] {
    if (::chmod(inside.c_str(), 0640) != 0) return 1;
    if (::chmod(inside.c_str(), 04755) == 0 || errno != EPERM) return 2;
    if (::chmod(outside.c_str(), 0644) == 0 || errno != EPERM) return 3;
    const int file = ::open(outside.c_str(), O_RDONLY);
    if (::fchmod(file, 0644) == 0 || errno != EPERM) return 4;
    if (::chmod((inside + "-no").c_str(), 0644) == 0 || errno != ENOENT) return 5;
    return 0;
  });
  supervise(child);
  EXPECT_EQ(child.wait(), 0);
  struct stat status;
  ASSERT_EQ(::stat(inside.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  ASSERT_EQ(::stat(outside.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

}  // namespace
}  // namespace agentsh
