#include "appliance/cli/policy_verbs.h"

#include "base/file_io.h"
#include "base/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace agentsh::cli {
namespace {

using ::testing::HasSubstr;

class PolicyVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/agentsh-verbs-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    ASSERT_TRUE(make_directories(root_ + "/policies"));
    ASSERT_TRUE(make_directories(root_ + "/trust"));
    write("good.yaml", "version: 1\nname: good\ndescription: A good one.\n");
    write("bad.yaml", "version: 1\nnme: bad\n");
    write("odd.yaml", "version: 1\nname: odd\nfile_rules: [{paths: [], decision: deny}]\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(root_ + "/policies/" + name, text));
  }

  // Runs a verb; what it prints is in out_ and err_.
  int run(std::vector<std::string> args) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run_policy_verb(args, {.directories = {root_ + "/policies"}});
    std::fflush(stdout);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  std::string root_;
  std::string out_;
  std::string err_;
};

TEST_F(PolicyVerbs, ListAndShow) {
  EXPECT_EQ(run({"list"}), 0);
  EXPECT_THAT(out_, HasSubstr("A good one."));
  EXPECT_THAT(out_, HasSubstr("DOES NOT LOAD"));
  EXPECT_EQ(run({"list", "--json"}), 0);
  EXPECT_EQ(JsonDocument::parse(out_)->root().elements().size(), 3u);
  EXPECT_EQ(run({"show", "good"}), 0);
  EXPECT_THAT(out_, HasSubstr("name: good"));
  EXPECT_EQ(run({"show", "god"}), 1);
  EXPECT_THAT(err_, HasSubstr("did you mean \"good\"?"));
}

TEST_F(PolicyVerbs, Validate) {
  EXPECT_EQ(run({"validate", "good"}), 0);
  EXPECT_THAT(out_, HasSubstr("good.yaml: ok"));
  EXPECT_EQ(run({"validate", "good", root_ + "/policies/bad.yaml"}), 1);
  EXPECT_THAT(out_, HasSubstr("bad.yaml:2:1: nme: unknown key; did you mean \"name\"?"));
  EXPECT_EQ(run({"validate", "--json", "bad"}), 1);
  auto document = JsonDocument::parse(out_);
  ASSERT_TRUE(document) << out_;
  EXPECT_EQ(document->root().elements().size(), 2u);
  EXPECT_EQ(run({"validate", "nowhere"}), 1);
}

TEST_F(PolicyVerbs, Lint) {
  EXPECT_EQ(run({"lint", "good"}), 0);
  EXPECT_EQ(run({"lint", "odd"}), 1);
  EXPECT_THAT(out_, HasSubstr("[never-matches]"));
  EXPECT_EQ(run({"lint", "odd", "--json"}), 1);
  EXPECT_THAT(out_, HasSubstr("\"check\": \"never-matches\""));
}

TEST_F(PolicyVerbs, ExplainAndTest) {
  write(
      "net.yaml",
      "version: 1\nname: net\nnetwork_rules: [{name: web, domains: [a.example], decision: allow}]\n"
      "file_rules: [{name: p, paths: ['${PROJECT_ROOT}/**', '${OTHER}/x'], decision: allow}]\n");
  EXPECT_EQ(run({"explain", "net"}), 1);
  EXPECT_THAT(err_, HasSubstr("variable \"OTHER\" is not set"));
  EXPECT_EQ(run({"explain", "net", "--set", "OTHER=/o", "--workspace", "/w"}), 0);
  EXPECT_THAT(out_, HasSubstr("proxy"));
  EXPECT_EQ(run({"explain", "net", "--set", "OTHER=/o", "--json"}), 0);
  EXPECT_TRUE(JsonDocument::parse(out_));
  EXPECT_EQ(run({"test", "net", "--set", "OTHER=/o", "--workspace", "/w", "--op", "write", "--path",
                 "/w/x"}),
            0);
  EXPECT_THAT(out_, HasSubstr("allow by p"));
  EXPECT_EQ(run({"explain", "net", "--set", "OTHER"}), 1);
}

TEST_F(PolicyVerbs, SignAndVerify) {
  const std::string key = root_ + "/key";
  EXPECT_EQ(run({"keygen", key}), 0);
  EXPECT_EQ(run({"keygen", key}), 1);
  EXPECT_EQ(run({"sign", "good", "--key", key}), 0);
  EXPECT_EQ(run({"verify", "good", "--key", key + ".pem"}), 0);
  std::filesystem::copy(key + ".pem", root_ + "/trust/me.pem");
  EXPECT_EQ(run({"verify", "good", "--trust-store", root_ + "/trust"}), 0);
  EXPECT_THAT(out_, HasSubstr("signed by me.pem"));
  write("good.yaml", "version: 2\nname: good\n");
  EXPECT_EQ(run({"verify", "good", "--key", key + ".pem"}), 1);
  EXPECT_EQ(run({"verify", "good"}), 2);
  EXPECT_EQ(run({"sign", "bad", "--key", key}), 1);
}

TEST_F(PolicyVerbs, WrongArguments) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"frobnicate"}), 2);
  EXPECT_EQ(run({"validate"}), 2);
  EXPECT_EQ(run({"--help"}), 0);
}

}  // namespace
}  // namespace agentsh::cli
