// Bodies of control requests: what is accepted means what it says, what is refused names the key.
#include "appliance/sessions/exec_request.h"
#include "appliance/sessions/session_request.h"

#include <gmock/gmock.h>

namespace agentsh {
namespace {

using ::testing::HasSubstr;

Result<ExecRequest> exec(std::string_view text) {
  const auto document = JsonDocument::parse(text);
  if (!document) return std::unexpected(document.error());
  return ExecRequest::parse(document->root());
}

Result<SessionRequest> session(std::string_view text) {
  const auto document = JsonDocument::parse(text);
  if (!document) return std::unexpected(document.error());
  return SessionRequest::parse(document->root());
}

TEST(ExecRequests, EveryKey) {
  const auto request = exec(R"({"command":"ls","args":["-l","a b"],"argv0":"list","timeout":"1m30s",
               "working_dir":"/w","working_dir_optional":true,"env":{"A":"1"},"stdin":"text",
               "include_events":"blocked","umask":63,"terminal_fds":7,"rows":50,"columns":132})");
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_EQ(request->command_line(), "ls -l a b");
  EXPECT_EQ(request->argv0, "list");
  EXPECT_EQ(request->timeout, std::chrono::seconds(90));
  EXPECT_TRUE(request->working_directory_optional);
  EXPECT_EQ(request->environment.front(), std::pair(std::string("A"), std::string("1")));
  EXPECT_EQ(request->stdin_text, "text");
  EXPECT_EQ(request->include_events, IncludeEvents::kBlocked);
  EXPECT_EQ(request->umask, 077U);
  EXPECT_EQ(request->terminal_fds, 7);
  EXPECT_EQ(request->rows, 50);
  EXPECT_EQ(request->columns, 132);
}

struct Refused {
  std::string_view body;
  std::string_view sentence;
};

TEST(ExecRequests, RefusedByKey) {
  const Refused cases[] = {
      {R"({})", "command"},
      {R"({"command":5})", "command"},
      {R"({"command":"ls","comand":"x"})", "comand"},
      {R"({"command":"ls","args":"x"})", "args"},
      {R"({"command":"ls","args":[1]})", "args"},
      {R"({"command":"ls","args":["a\u0000b"]})", "NUL"},
      {R"({"command":"l\u0000s"})", "NUL"},
      {R"({"command":"ls","env":{"A=B":"x"}})", "A=B"},
      {R"({"command":"ls","env":{"A":5}})", "\"A\""},
      {R"({"command":"ls","timeout":"soon"})", "30s, 5m"},
      {R"({"command":"ls","timeout":"-5s"})", "timeout"},
      {R"({"command":"ls","include_events":"some"})", "include_events"},
      {R"([])", ""},
      {R"({"command":"ls")", ""},
  };
  for (const Refused& one : cases) {
    const auto request = exec(one.body);
    ASSERT_FALSE(request) << one.body;
    EXPECT_THAT(request.error().what, HasSubstr(one.sentence)) << one.body;
  }
}

TEST(SessionRequests, EveryKey) {
  const auto request = session(
      R"({"id":"s-1","workspace":"/w","policy":"p","home":"/h","project_root":"/w/p",
          "detect_project_root":false,"real_paths":false,"host_ports":[80,65535]})");
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_EQ(request->id, "s-1");
  EXPECT_EQ(request->real_paths, false);
  EXPECT_THAT(request->host_ports, ::testing::ElementsAre(80, 65535));
}

TEST(SessionRequests, RefusedByKey) {
  const Refused cases[] = {
      {R"({"workspace":"relative"})", "workspace"},
      {R"({})", "workspace"},
      {R"({"workspace":"/w","id":"../x"})", "id"},
      {R"({"workspace":"/w","policy":5})", "policy"},
      {R"({"workspace":"/w","host_ports":[0]})", "host_ports"},
      {R"({"workspace":"/w","host_ports":[70000]})", "host_ports"},
      {R"({"workspace":"/w","real_paths":"yes"})", "real_paths"},
      {R"({"workspace":"/w","profile":"x"})", "profile"},
      {R"({"workspace":"/w","unknown":1})", "unknown"},
  };
  for (const Refused& one : cases) {
    const auto request = session(one.body);
    ASSERT_FALSE(request) << one.body;
    EXPECT_THAT(request.error().what, HasSubstr(one.sentence)) << one.body;
  }
}

TEST(SessionIds, AreFileNames) {
  EXPECT_TRUE(valid_session_id("session-1_a"));
  EXPECT_TRUE(valid_session_id(make_session_id()));
  EXPECT_TRUE(is_made_session_id(make_session_id()));
  EXPECT_FALSE(is_made_session_id("session-1"));
  EXPECT_FALSE(is_made_session_id("session-f51e69be-f4b0-4f36-a43b-98f7a8234b9"));
  EXPECT_FALSE(is_made_session_id("session-f51e69be-f4b0-4f36-a43b-98f7a8234b9f0"));
  EXPECT_FALSE(is_made_session_id("sessionxf51e69be-f4b0-4f36-a43b-98f7a8234b9f"));
  EXPECT_TRUE(valid_session_id(std::string(128, 'a')));
  for (std::string_view bad : {"", ".", "..", "a/b", "-a", "_a", "a b", "a\n"})
    EXPECT_FALSE(valid_session_id(bad)) << bad;
  EXPECT_FALSE(valid_session_id(std::string(129, 'a')));
}

}  // namespace
}  // namespace agentsh
