#include "policies/yaml_document.h"

#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

std::optional<YamlDocument> parse(std::string_view text, Diagnostics& problems,
                                  YamlLimits limits = {}) {
  return YamlDocument::parse(text, problems, limits);
}

// The first problem of `text`, as a person sees it.
std::string problem(std::string_view text, YamlLimits limits = {}) {
  Diagnostics problems("f.yaml");
  parse(text, problems, limits);
  const auto& found = problems.sorted();
  return found.empty() ? "" : to_text(found.front());
}

TEST(YamlDocument, NodesKnowTheirPlace) {
  Diagnostics problems("f.yaml");
  auto document = parse("a: 1\nlist:\n  - x\n  - {k: \"v\"}\nnone:\n", problems);
  ASSERT_TRUE(document && problems.ok());
  YamlNode root = document->root();
  EXPECT_EQ(root.get("a").text(), "1");
  EXPECT_TRUE(root.get("a").is_plain());
  EXPECT_EQ(root.get("a").where(), (SourcePosition{1, 4}));
  EXPECT_EQ(root.get("list").item(0).where(), (SourcePosition{3, 5}));
  YamlNode value = root.get("list").item(1).get("k");
  EXPECT_EQ(value.text(), "v");
  EXPECT_FALSE(value.is_plain());
  EXPECT_TRUE(root.get("none").exists());
  EXPECT_TRUE(root.get("none").empty());
  EXPECT_EQ(root.get("none").where().line, 5);
  EXPECT_FALSE(root.get("missing").exists());
}

TEST(YamlDocument, AMissingValueStandsAtItsKey) {
  Diagnostics problems("f.yaml");
  auto document = parse("a:\n\n\nb: 1\n", problems);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().get("a").where().line, 1);
}

TEST(YamlDocument, EmptyTextHasNoRoot) {
  Diagnostics problems("f.yaml");
  auto document = parse("# nothing\n", problems);
  ASSERT_TRUE(document);
  EXPECT_TRUE(document->root().empty());
}

TEST(YamlDocument, DuplicateKeysAreRefusedEverywhere) {
  EXPECT_EQ(problem("a: 1\nb: 2\na: 3\n"), "f.yaml:3:1: a: duplicate key, first written at line 1");
  EXPECT_EQ(problem("x: {a: 1, a: 2}\n"), "f.yaml:1:11: a: duplicate key, first written at line 1");
  EXPECT_EQ(problem("a: 1\n\"a\": 3\n"), "f.yaml:2:1: a: duplicate key, first written at line 1");
}

TEST(YamlDocument, MergesFillInWhatIsNotWritten) {
  Diagnostics problems("f.yaml");
  auto document = parse(
      "base: &base {a: 1, b: 2}\nmore: &more {b: 9, c: 3}\n"
      "own: {<<: [*base, *more], a: 7}\nquoted: {\"<<\": 1}\n",
      problems);
  ASSERT_TRUE(document && problems.ok());
  YamlNode own = document->root().get("own");
  EXPECT_EQ(own.get("a").text(), "7");
  EXPECT_EQ(own.get("b").text(), "2");
  EXPECT_EQ(own.get("c").text(), "3");
  EXPECT_FALSE(own.get("<<").exists());
  EXPECT_TRUE(document->root().get("quoted").get("<<").exists());
}

TEST(YamlDocument, AMergeOfSomethingElseIsRefused) {
  EXPECT_EQ(problem("a: {<<: 3}\n"), "f.yaml:1:9: <<: merges a map or a list of maps only");
}

TEST(YamlDocument, AliasesAreBounded) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    std::string line = "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) line += (j ? "," : "") + ("*a" + std::to_string(i - 1));
    bomb += line + "]\n";
  }
  EXPECT_NE(problem(bomb).find("aliases counted each time"), std::string::npos);
  EXPECT_NE(problem("a: &a [*a]\n").find("complete before it"), std::string::npos);
}

TEST(YamlDocument, SizeAndDepthAreBounded) {
  EXPECT_EQ(problem("aaaa", {.max_bytes = 3}), "f.yaml: larger than 3 bytes");
  EXPECT_NE(problem(std::string(100, '[')).find("nested more than 64 levels"), std::string::npos);
  EXPECT_NE(problem(std::string(100'000, '[')).find("nested more than"), std::string::npos);
  std::string block;
  for (int i = 0; i < 100; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(problem(block).find("nested more than"), std::string::npos);
}

TEST(YamlDocument, OnlyTheFirstDocumentIsRead) {
  Diagnostics problems("f.yaml");
  auto document = parse("---\na: 1\n---\nb: 2\n", problems);
  ASSERT_TRUE(document && problems.ok());
  EXPECT_FALSE(document->root().get("b").exists());
  EXPECT_EQ(to_text(problems.sorted().at(0)),
            "f.yaml:3:1: warning: only the first document of a file is read, this one is not");
}

TEST(YamlDocument, TextAfterTheRootIsAnError) {
  for (std::string_view text : {"a: 1\n]\nb: 2\n", "{a: 1} b\n", "- a\nb: 1\n", "a: 1\n b: 2\n"}) {
    EXPECT_NE(problem(text), "") << text;
  }
}

TEST(YamlDocument, BytesThatAreNoTextAreRefused) {
  EXPECT_EQ(problem("a: \xff\n"), "f.yaml: is not UTF-8 text");
  EXPECT_EQ(problem(std::string_view("a: b\n\0c", 7)), "f.yaml:2:1: control byte 0x00 in the text");
  EXPECT_EQ(problem("a: \x1b[31m\n"), "f.yaml:1:4: control byte 0x1b in the text");
  EXPECT_EQ(problem("\xef\xbb\xbf"
                    "a: 1\n"),
            "");
}

TEST(YamlDocument, SyntaxErrorsHaveAPlace) {
  EXPECT_TRUE(problem("a: [1\nb: 2\n").starts_with("f.yaml:")) << problem("a: [1\nb: 2\n");
  EXPECT_NE(problem("a: \"\\.\"\n").find("f.yaml:1:"), std::string::npos);
  EXPECT_NE(problem("a: !secret x\n").find("unknown tag"), std::string::npos);
  EXPECT_NE(problem("? [a]\n: b\n").find("a key must be a text"), std::string::npos);
  EXPECT_NE(problem("a: *nowhere\n"), "");
}

}  // namespace
}  // namespace agentsh::policy
