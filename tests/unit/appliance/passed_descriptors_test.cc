// Which descriptors of a client may become a command's standard streams.
#include "appliance/sessions/passed_descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <vector>

namespace agentsh {
namespace {

constexpr pid_t kNobody = 0;

bool passes(UniqueFd fd, pid_t daemon = kNobody) {
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(fd));
  return check_passed_descriptors(fds, daemon).has_value();
}

UniqueFd opened(const char* path, int flags) {
  return UniqueFd(::open(path, flags | O_CLOEXEC));
}

UniqueFd loopback_socket(int type) {
  UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return socket;
}

TEST(PassedDescriptors, FilesPipesAndHarmlessDevicesPass) {
  EXPECT_TRUE(passes(opened("/etc/passwd", O_RDONLY)));
  EXPECT_TRUE(passes(opened("/dev/null", O_RDWR)));
  EXPECT_TRUE(passes(opened("/dev/urandom", O_RDONLY)));
  EXPECT_TRUE(passes(UniqueFd(::memfd_create("test", MFD_CLOEXEC))));
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  EXPECT_TRUE(passes(UniqueFd(pipe[0])));
  EXPECT_TRUE(passes(UniqueFd(pipe[1])));
}

TEST(PassedDescriptors, ConnectedUnixStreamsPass) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    const UniqueFd other(pair[1]);
    EXPECT_TRUE(passes(UniqueFd(pair[0])));
  }
}

TEST(PassedDescriptors, ConnectionsToTheDaemonDoNot) {
  // The maker of a pair is its peer, as a listener is of what it accepted.
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd other(pair[1]);
  EXPECT_FALSE(passes(UniqueFd(pair[0]), ::getpid()));
}

TEST(PassedDescriptors, SocketsThatLeadElsewhereDoNot) {
  EXPECT_FALSE(passes(loopback_socket(SOCK_STREAM)));
  EXPECT_FALSE(passes(loopback_socket(SOCK_DGRAM)));
  UniqueFd listener = loopback_socket(SOCK_STREAM);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_FALSE(passes(std::move(listener)));
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd other(pair[1]);
  EXPECT_FALSE(passes(UniqueFd(pair[0])));
  EXPECT_FALSE(passes(UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))));
  EXPECT_FALSE(passes(UniqueFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0))));
}

TEST(PassedDescriptors, DirectoriesAndKernelObjectsDoNot) {
  EXPECT_FALSE(passes(opened("/", O_RDONLY | O_DIRECTORY)));
  EXPECT_FALSE(passes(opened("/etc/passwd", O_PATH)));
  EXPECT_FALSE(passes(UniqueFd(::epoll_create1(EPOLL_CLOEXEC))));
}

}  // namespace
}  // namespace agentsh
