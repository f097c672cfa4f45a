#include <gmock/gmock.h>

#include <csignal>

int main(int argc, char** argv) {
  // A peer that closes early is a test case, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
