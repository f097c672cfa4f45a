#include "base/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace agentsh {
namespace {

TEST(FdPassing, DeliversDescriptorsWithTheMessage) {
  auto pair = unix_socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  UniqueFd reader(pipe_fds[0]), writer(pipe_fds[1]);
  int passed[] = {writer.get()};
  ASSERT_TRUE(send_with_fds(pair->first.get(), "hello", passed));
  auto received = receive_with_fds(pair->second.get(), 100);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->data, "hello");
  ASSERT_EQ(received->fds.size(), 1u);
  EXPECT_TRUE(::fcntl(received->fds[0].get(), F_GETFD) & FD_CLOEXEC);
  writer.reset();
  EXPECT_EQ(::write(received->fds[0].get(), "x", 1), 1);
  char byte;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
}

TEST(FdPassing, TruncationIsAnError) {
  auto pair = unix_socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(send_with_fds(pair->first.get(), "longer than the buffer", {}));
  EXPECT_FALSE(receive_with_fds(pair->second.get(), 4));
}

TEST(FdPassing, EndOfStreamIsAnEmptyMessage) {
  auto pair = unix_socket_pair(SOCK_STREAM);
  pair->first.reset();
  auto received = receive_with_fds(pair->second.get(), 10);
  ASSERT_TRUE(received);
  EXPECT_TRUE(received->data.empty());
}

}  // namespace
}  // namespace agentsh
