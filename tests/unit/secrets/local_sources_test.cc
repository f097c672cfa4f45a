#include "appliance/secrets/local_sources.h"

#include <gmock/gmock.h>
#include <unistd.h>

namespace agentsh::secrets {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(RunProgram, GivesWhatItWrites) {
  EXPECT_EQ(run_program("/bin/echo a  b", 10s).value(), "a b\n");
}

TEST(RunProgram, Failures) {
  EXPECT_THAT(run_program("/bin/false", 10s).error().what, HasSubstr("ended with 1"));
  EXPECT_FALSE(run_program("/no/such/program", 10s).has_value());
  EXPECT_THAT(run_program("/bin/cat /dev/zero", 10s).error().what, HasSubstr("64 KB"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(run_program("/bin/sleep 60", 100ms).error().what, HasSubstr("takes too long"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
}

TEST(ReadLocal, Environment) {
  ::setenv("AGENTSH_TEST_SECRET", "value", 1);
  EXPECT_EQ(read_local({"env", "AGENTSH_TEST_SECRET", ""}, ::geteuid(), 1s).value(), "value");
  EXPECT_THAT(read_local({"env", "AGENTSH_NO_SUCH", ""}, ::geteuid(), 1s).error().what,
              HasSubstr("AGENTSH_NO_SUCH"));
}

TEST(ReadLocal, FilesOfOthersAreNotRead) {
  char path[] = "/var/tmp/agentsh-secret-XXXXXX";
  const int fd = ::mkstemp(path);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, "value\n", 6), 6);
  ::fchmod(fd, 0600);
  EXPECT_EQ(read_local({"file", path, ""}, ::geteuid(), 1s).value(), "value");
  ::fchmod(fd, 0644);
  EXPECT_FALSE(read_local({"file", path, ""}, ::geteuid(), 1s).has_value());
  ::close(fd);
  ::unlink(path);
}

}  // namespace
}  // namespace agentsh::secrets
