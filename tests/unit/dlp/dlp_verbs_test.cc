#include "appliance/cli/dlp_verbs.h"

#include "base/file_io.h"
#include "base/json_reader.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace agentsh::cli {
namespace {

const std::string kToken = "ghp_" + std::string(36, 'a');

class DlpVerbs : public testing::Test {
 protected:
  DlpVerbs() {
    std::string name = testing::TempDir() + "dlp_verbs_XXXXXX";
    directory_ = ::mkdtemp(name.data());
    ::setenv("XDG_CACHE_HOME", directory_.c_str(), 1);
  }
  ~DlpVerbs() override { std::filesystem::remove_all(directory_); }

  std::string file(std::string_view name, std::string_view text) const {
    const std::string path = directory_ + "/" + std::string(name);
    EXPECT_TRUE(write_file_atomic(path, text, 0644));
    return path;
  }

  struct Outcome {
    int code;
    std::string out;
    std::string err;
  };
  Outcome run(std::vector<std::string> args, dlp::ProfileSettings settings = {}) const {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_dlp_verb(args, [&](const std::string&) -> Result<DlpSetup> {
      return DlpSetup{dlp::sample_detectors(), settings};
    });
    std::fflush(stdout);
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }

  std::string directory_;
};

TEST_F(DlpVerbs, ScanSaysWhatAndWhere) {
  const std::string path = file("a.txt", "x\n  a@b.com\ny " + kToken + "\n");
  const Outcome found = run({"scan", path});
  EXPECT_EQ(found.code, 1);
  EXPECT_EQ(found.out, path + ":2:3: email 0.90 bytes 4-11 email (7 bytes)\n" + path +
                           ":3:3: github_token 0.99 bytes 14-54 github_token ghp_... (40 bytes)\n");
  EXPECT_TRUE(run({"scan", "--show-values", path}).out.contains(kToken));
  EXPECT_EQ(run({"scan", file("clean.txt", "nothing")}).code, 0);
  EXPECT_EQ(run({"scan", directory_ + "/nosuch"}).code, 2);
  EXPECT_EQ(run({"scan", "--detector", "email", path}).out.find("github_token"), std::string::npos);
  EXPECT_EQ(run({"scan", "--detector", "nosuch", path}).code, 2);
  EXPECT_EQ(run({"scan", "--min-confidence", "0.95", path}).out.find("email"), std::string::npos);
  EXPECT_EQ(run({"scan", "--min-confidence", "7", path}).code, 2);
}

TEST_F(DlpVerbs, ScanAsJsonAndThroughDirectories) {
  std::filesystem::create_directories(directory_ + "/d/.git");
  file("d/one", kToken);
  file("d/.git/two", kToken);
  const Outcome found = run({"scan", "--json", directory_ + "/d"});
  EXPECT_EQ(found.code, 1);
  const auto json = JsonDocument::parse(found.out);
  ASSERT_TRUE(json) << found.out;
  ASSERT_EQ(json->root().elements().size(), 1u);
  const JsonValue hit(&json->root().elements().front());
  EXPECT_EQ(hit.text("detector"), "github_token");
  EXPECT_EQ(hit.text("file"), directory_ + "/d/one");
  EXPECT_EQ(hit.integer("end"), 40);
  EXPECT_FALSE(hit.has("value"));
}

TEST_F(DlpVerbs, TokenizedTextIsRestoredByAnotherInvocation) {
  const std::string vault = directory_ + "/v.json";
  const std::string text = R"({"to": "a\u0040b.com", "n": 1.50})";
  const std::string path = file("a.json", text);
  const Outcome sent = run({"redact", "--mode", "tokenize", "--vault", vault, path});
  EXPECT_EQ(sent.code, 0) << sent.err;
  EXPECT_TRUE(sent.out.starts_with(R"({"to": "TOK_EMAIL_)") &&
              sent.out.ends_with(R"(", "n": 1.50})"))
      << sent.out;
  struct stat status{};
  ASSERT_EQ(::stat(vault.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const Outcome back = run({"restore", "--vault", vault, file("sent.json", sent.out)});
  EXPECT_EQ(back.out, R"({"to": "a@b.com", "n": 1.50})");
  // The same value keeps its placeholder.
  EXPECT_EQ(run({"redact", "--mode", "tokenize", "--vault", vault, path}).out, sent.out);
}

TEST_F(DlpVerbs, RedactByModeAndType) {
  const std::string path = file("a.txt", "a " + kToken);
  EXPECT_EQ(run({"redact", path}).out, "a [REDACTED:github_token]");
  const Outcome blocked = run({"redact", "--mode", "block", path});
  EXPECT_EQ(blocked.code, 1);
  EXPECT_FALSE(blocked.out.contains("ghp_"));
  EXPECT_TRUE(blocked.err.contains("blocked by detector github_token"));
  EXPECT_EQ(run({"redact", "--mode", "audit", path}).out, "a " + kToken);
  const std::string form = file("form", "k=a%40b.com");
  EXPECT_EQ(run({"redact", "--type", "application/x-www-form-urlencoded", form}).out,
            "k=%5BREDACTED%3Aemail%5D");
  EXPECT_EQ(run({"redact", file("bad.json", "{")}).code, 2);
  EXPECT_EQ(run({"redact", "--mode", "tokenize", path}).code, 2);
  EXPECT_EQ(run({"redact", "--mode", "nosuch", path}).code, 2);
  EXPECT_EQ(run({"restore", path}).code, 2);
  EXPECT_EQ(run({"restore", "--vault", path, path}).code, 2);
}

TEST_F(DlpVerbs, ListsDetectors) {
  const Outcome all = run({"detectors"}, {.detectors = {{"email", dlp::Mode::kAudit}}});
  EXPECT_TRUE(all.out.contains("github_token"));
  EXPECT_TRUE(all.out.contains("audit"));
  EXPECT_EQ(run({"detectors", "MAIL"}).out.find("github_token"), std::string::npos);
  EXPECT_TRUE(JsonDocument::parse(run({"detectors", "--json"}).out));
  EXPECT_TRUE(run({"detectors", "--validators"}).out.contains("luhn"));
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"--help"}).code, 0);
}

}  // namespace
}  // namespace agentsh::cli
