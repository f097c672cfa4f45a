#include "sandbox/process/wire.h"

#include "sandbox/process/init_protocol.h"
#include "sandbox/process/session_spec.h"

#include <gtest/gtest.h>

namespace agentsh::sandbox {
namespace {

SessionSpec sample() {
  SessionSpec spec;
  spec.id = "s1";
  spec.uid = 1000;
  spec.groups = {1, 2, 3};
  spec.binds = {{"/a", "/b", true, false, true}, {"/c", "/d", false, true, false}};
  spec.masked = {"/x"};
  spec.files = {{"/etc/resolv.conf", "nameserver 198.18.0.2\n"}};
  spec.seccomp_programs = {std::string("\0\1\2", 3)};
  spec.limits = {{7, 1, 2}};
  return spec;
}

TEST(Wire, CarriesASpecification) {
  SessionSpec spec = sample();
  auto copy = from_wire<SessionSpec>(to_wire(spec));
  ASSERT_TRUE(copy) << copy.error().what;
  EXPECT_EQ(to_wire(*copy), to_wire(spec));
  EXPECT_EQ(copy->binds[0].target, "/b");
  EXPECT_TRUE(copy->binds[0].optional);
  EXPECT_EQ(copy->seccomp_programs[0].size(), 3u);
  EXPECT_EQ(copy->limits[0].hard, 2u);
}

TEST(Wire, EveryTruncationIsAnError) {
  SessionSpec spec = sample();
  const std::string whole = to_wire(spec);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(from_wire<SessionSpec>(whole.substr(0, length))) << length;
  }
  EXPECT_FALSE(from_wire<SessionSpec>(whole + "x"));
}

TEST(Wire, ALengthThatCannotBeTrueIsAnError) {
  std::string data = "\xff\xff\xff\xff";
  EXPECT_FALSE(from_wire<Spawn>(std::string(8, '\0') + data));
}

}  // namespace
}  // namespace agentsh::sandbox
