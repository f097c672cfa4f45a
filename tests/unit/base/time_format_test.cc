#include "base/time_format.h"

#include <gtest/gtest.h>

namespace agentsh {
namespace {

using namespace std::chrono_literals;

TEST(Rfc3339, RoundTrips) {
  auto time = parse_rfc3339("2026-11-24T06:02:25.123456789Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_rfc3339(*time), "2026-11-24T06:02:25.123456789Z");
  EXPECT_EQ(parse_rfc3339("2026-11-24T07:02:25+01:00"), parse_rfc3339("2026-11-24T06:02:25Z"));
  for (const char* text :
       {"", "2026-11-24", "2026-13-24T00:00:00Z", "2026-11-24T06:02:25", "2026-11-24T06:02:25.Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Rfc3339, RefusesYearsThatNanosecondsCannotCount) {
  EXPECT_TRUE(parse_rfc3339("1678-01-01T00:00:00Z"));
  EXPECT_TRUE(parse_rfc3339("2261-12-31T23:59:59.999999999Z"));
  for (const char* text : {"0000-01-01T00:00:00Z", "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
                           "9999-12-31T23:59:59Z", "2261-12-31T23:59:59-01:00"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Duration, ParsesWhatPoliciesWrite) {
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("1.5h"), 90min);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("0"), 0s);
  for (const char* text : {"", "5", "s", "-5s", "5 s", "5d", "1e3s", "99999999999h"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, PrintsWhatItParses) {
  for (const char* text : {"30s", "1h30m", "250ms", "5m", "1h", "1.5s", "100us", "7ns"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
}

}  // namespace
}  // namespace agentsh
