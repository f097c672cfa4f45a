// Queries and header fields of requests.
#include "proxy/llm/head_editor.h"

#include "tests/unit/dlp/sample_detectors.h"
#include "tests/unit/llm/exchange_run.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

const std::string kMail = "jane.doe@example.com";

struct Edited {
  HeadChanges changes;
  std::optional<Refusal> refusal;
  std::size_t findings = 0;
};

Edited edit(std::string_view target, const std::vector<HeadField>& fields,
            dlp::Mode mode = dlp::Mode::kRedact) {
  HeadEditor editor(dlp::sample_profile({.mode = mode}), nullptr);
  Edited out;
  out.refusal = editor.edit(target, fields, out.changes);
  out.findings = editor.redactor().findings().entries().size();
  return out;
}

TEST(HeadEditor, WhatIsHarmlessKeepsItsBytes) {
  const Edited edited = edit("/v1/x?a=%41+b&&c", {{"X-Title", "hello there"}, {"Host", "h"}});
  EXPECT_TRUE(edited.changes.target.empty());
  EXPECT_TRUE(edited.changes.values.empty());
  EXPECT_FALSE(edited.refusal);
}

TEST(HeadEditor, QueriesAreEditedWhereTheyHaveTo) {
  EXPECT_EQ(edit("/v1/x?a=%41+b&user=jane.doe%40example.com&c", {}).changes.target,
            "/v1/x?a=%41+b&user=%5BREDACTED%3Aemail%5D&c");
  EXPECT_EQ(edit("/v1/x?jane.doe@example.com", {}).changes.target, "/v1/x?%5BREDACTED%3Aemail%5D");
  // The parameter's name is no part of the value.
  EXPECT_EQ(edit("/v1/x?note=ghp_" + std::string(36, 'a'), {}).changes.target,
            "/v1/x?note=%5BREDACTED%3Agithub_token%5D");
  EXPECT_TRUE(edit("/v1/x?key=jane.doe@example.com&X-Amz-Date=jane.doe@example.com", {})
                  .changes.target.empty());
}

TEST(HeadEditor, FieldsAreEditedButForTheProvidersCredentials) {
  const Edited edited = edit("/", {{"Authorization", kMail},
                                   {"X-API-KEY", kMail},
                                   {"Metadata", "user " + kMail},
                                   {"Cookie", kMail}});
  ASSERT_EQ(edited.changes.values.size(), 1U);
  EXPECT_EQ(edited.changes.values[0].first, 2U);
  EXPECT_EQ(edited.changes.values[0].second, "user [REDACTED:email]");
  EXPECT_EQ(edited.findings, 1U);
}

TEST(HeadEditor, ModesHold) {
  const std::vector<HeadField> fields = {{"Metadata", kMail}};
  const Edited blocked = edit("/", fields, dlp::Mode::kBlock);
  ASSERT_TRUE(blocked.refusal);
  EXPECT_EQ(blocked.refusal->code, "dlp_blocked");
  const Edited query = edit("/v1/models?note=jane.doe@example.com", {}, dlp::Mode::kBlock);
  ASSERT_TRUE(query.refusal);
  EXPECT_EQ(query.refusal->code, "dlp_blocked");
  const Edited audited = edit("/", fields, dlp::Mode::kAudit);
  EXPECT_FALSE(audited.refusal);
  EXPECT_TRUE(audited.changes.values.empty());
  EXPECT_EQ(audited.findings, 1U);
}

}  // namespace
}  // namespace agentsh::llm
