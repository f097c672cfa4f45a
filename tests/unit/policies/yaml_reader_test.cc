#include "policies/yaml_reader.h"

#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

using std::chrono::nanoseconds;

enum class Colour { kNone, kRed, kGreen };
constexpr Word<Colour> kColours[] = {{"red", Colour::kRed}, {"green", Colour::kGreen}};

struct Read {
  std::string text = "default";
  bool flag = false;
  int number = -1;
  double ratio = 0;
  nanoseconds duration{};
  std::vector<std::string> texts;
  Colour colour = Colour::kNone;
  std::string problems;
};

Read read(std::string_view yaml) {
  Diagnostics problems("f.yaml");
  auto document = YamlDocument::parse(yaml, problems);
  Read result;
  if (document) {
    YamlReader reader(document->root(), "", problems);
    reader.mistaken("colour_name", "is written colour", "colour");
    reader.text("text", result.text);
    reader.flag("flag", result.flag);
    reader.integer("number", result.number, 1, 65535);
    reader.number("ratio", result.ratio, 0, 1);
    reader.duration("duration", result.duration);
    reader.texts("texts", result.texts);
    reader.word("colour", result.colour, kColours);
  }
  for (const Diagnostic& problem : problems.sorted()) result.problems += to_text(problem) + "\n";
  return result;
}

TEST(YamlReader, ReadsEveryType) {
  Read got = read(
      "text: 12\nflag: yes\nnumber: 0x1bb\nratio: 0.5\nduration: 1m30s\ntexts: [a, 5]\n"
      "colour: Green\n");
  EXPECT_EQ(got.problems, "");
  EXPECT_EQ(got.text, "12");
  EXPECT_TRUE(got.flag);
  EXPECT_EQ(got.number, 443);
  EXPECT_EQ(got.ratio, 0.5);
  EXPECT_EQ(got.duration, std::chrono::seconds(90));
  EXPECT_EQ(got.texts, (std::vector<std::string>{"a", "5"}));
  EXPECT_EQ(got.colour, Colour::kGreen);
}

TEST(YamlReader, AbsentAndEmptyLeaveTheDefault) {
  Read got = read("text:\nflag: ~\nnumber: null\ntexts:\n");
  EXPECT_EQ(got.problems, "");
  EXPECT_EQ(got.text, "default");
  EXPECT_EQ(got.number, -1);
}

TEST(YamlReader, AllProblemsAreReportedAtOnce) {
  EXPECT_EQ(read("textt: a\nflag: maybe\nnumber: 70000\nduration: 30\ncolour: gren\n").problems,
            "f.yaml:1:1: textt: unknown key; did you mean \"text\"?\n"
            "f.yaml:2:7: flag: must be true or false, not \"maybe\"\n"
            "f.yaml:3:9: number: must be from 1 to 65535, is 70000\n"
            "f.yaml:4:11: duration: must be a duration such as 30s, 5m or 1h30m, not \"30\"; did "
            "you mean \"30s\"?\n"
            "f.yaml:5:9: colour: \"gren\" is not one of red, green; did you mean \"green\"?\n");
}

TEST(YamlReader, WrongShapesAreNamed) {
  EXPECT_EQ(read("text: [a]\n").problems, "f.yaml:1:7: text: must be a text, not a list\n");
  EXPECT_EQ(read("texts: a\n").problems,
            "f.yaml:1:8: texts: must be a list, not a text; did you mean \"[a]\"?\n");
  EXPECT_EQ(read("texts: [a, {b: 1}]\n").problems,
            "f.yaml:1:12: texts[1]: must be a text, not a map\n");
  EXPECT_EQ(read("number: \"5\"\n").problems,
            "f.yaml:1:9: number: must be a whole number without quotes, not \"5\"\n");
  EXPECT_EQ(read("- a\n").problems, "f.yaml:1:1: must be a map, not a list\n");
}

TEST(YamlReader, FrequentMistakesGetTheirOwnSentence) {
  EXPECT_EQ(read("colour_name: red\n").problems,
            "f.yaml:1:1: colour_name: is written colour; did you mean \"colour\"?\n");
}

TEST(YamlReader, RequiredKeysAreMissed) {
  Diagnostics problems("f.yaml");
  auto document = YamlDocument::parse("rules:\n  - {}\n  - {name: }\n", problems);
  YamlReader reader(document->root(), "", problems);
  reader.each_item("rules", [&](YamlNode node, const std::string& path) {
    YamlReader rule(node, path, problems);
    std::string name;
    rule.text("name", name, Need::kRequired);
  });
  EXPECT_EQ(problems.to_error().what,
            "f.yaml:2:5: rules[0].name: is missing\n"
            "f.yaml:3:6: rules[1].name: must not be empty");
}

TEST(YamlReader, IntegersFollowYaml) {
  Diagnostics problems("f.yaml");
  auto integer = [&](std::string_view text) -> std::int64_t {
    auto document = YamlDocument::parse(text, problems);
    std::int64_t value = -999;
    read_integer(document->root(), "k", problems, -1000, 1'000'000, value);
    return value;
  };
  EXPECT_EQ(integer("10_000"), 10000);
  EXPECT_EQ(integer("0o17"), 15);
  EXPECT_EQ(integer("0b11"), 3);
  EXPECT_EQ(integer("-5"), -5);
  EXPECT_EQ(integer("+5"), 5);
  EXPECT_TRUE(problems.ok());
  for (std::string_view bad :
       {"1e3", "1.0", "0x", "--5", "_5", "5_", "99999999999999999999", "x"}) {
    EXPECT_EQ(integer(bad), -999) << bad;
  }
}

}  // namespace
}  // namespace agentsh::policy
