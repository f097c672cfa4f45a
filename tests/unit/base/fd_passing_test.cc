#include "base/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST(FdPassing, TellsWhoWroteWhereAsked) {
  auto pair = unix_socket_pair(SOCK_STREAM);
  ASSERT_TRUE(send_with_fds(pair->first.get(), "a", {}));
  EXPECT_EQ(receive_with_fds(pair->second.get(), 1)->sender, 0);
  const int on = 1;
  ASSERT_EQ(::setsockopt(pair->second.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::send(pair->first.get(), "b", 1, 0) == 1 ? 0 : 1);
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  // It has been reaped; the number came with the message.
  EXPECT_EQ(receive_with_fds(pair->second.get(), 1)->sender, child);
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
