// Prices: names of models, days, tiers, exact money, errors of files.
#include "proxy/llm/prices.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

constexpr sys_days kDay = sys_days(2026y / 10 / 15);

std::optional<std::uint64_t> price(const PriceTable& table, std::string_view provider,
                                   std::string_view model, const TokenUsage& usage,
                                   std::string_view tier = {}) {
  return table.cost(provider, model, tier, usage, kDay).nano_dollars;
}

std::shared_ptr<const PriceTable> table_of(std::string_view yaml) {
  auto table = PriceTable::with_overrides(yaml, "mine.yaml");
  EXPECT_TRUE(table) << table.error().what;
  return *table;
}

TEST(Prices, TheShippedTableIsReadWhole) {
  EXPECT_GT(PriceTable::shipped().size(), 50U);
  for (const char* model : {"gpt-4o", "gpt-4o-2024-08-06", "gpt-5", "o3-2025-04-16"}) {
    EXPECT_NE(PriceTable::shipped().find("openai", model, kDay), nullptr) << model;
  }
  for (const char* model : {"claude-sonnet-4-5-20250929", "claude-opus-4-1-20250805",
                            "claude-3-5-haiku-latest", "claude-haiku-4-5"}) {
    EXPECT_NE(PriceTable::shipped().find("anthropic", model, kDay), nullptr) << model;
  }
  EXPECT_NE(PriceTable::shipped().find("gcp.vertex_ai", "claude-sonnet-4-5@20250929", kDay),
            nullptr);
  EXPECT_NE(PriceTable::shipped().find("gcp.gemini", "models/gemini-2.5-flash", kDay), nullptr);
  for (const char* model : {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0",
                            "arn:aws:bedrock:eu-west-1:1:inference-profile/"
                            "eu.anthropic.claude-3-haiku-20240307-v1:0"}) {
    EXPECT_NE(PriceTable::shipped().find("aws.bedrock", model, kDay), nullptr) << model;
  }
}

TEST(Prices, UnknownModelsAreNamedAndNotFree) {
  const TokenUsage usage{.input = 1, .known = true};
  for (const char* model : {"gpt-4o-ultra", "gpt-9", "", "gpt"}) {
    const Cost cost = PriceTable::shipped().cost("openai", model, "", usage, kDay);
    EXPECT_FALSE(cost.nano_dollars) << model;
    EXPECT_NE(cost.note.find(std::string("\"") + model + "\""), std::string::npos);
  }
  EXPECT_FALSE(price(PriceTable::shipped(), "elsewhere", "gpt-4o", usage));
  EXPECT_FALSE(price(PriceTable::shipped(), "openai", "gpt-4o", {.input = 5}));  // Not known.
  // Output of an embedding model has no price.
  EXPECT_FALSE(price(PriceTable::shipped(), "openai", "text-embedding-3-small",
                     {.input = 1, .output = 1, .known = true}));
}

TEST(Prices, MoneyIsExact) {
  // 1000 plain, 2000 read, 300 written for minutes, 200 for an hour, 500 out, 1 search.
  const TokenUsage usage{.input = 3500,
                         .cache_read = 2000,
                         .cache_write = 500,
                         .cache_write_hour = 200,
                         .output = 500,
                         .reasoning = 100,
                         .searches = 1,
                         .known = true};
  EXPECT_EQ(price(PriceTable::shipped(), "anthropic", "claude-sonnet-4-6", usage),
            3'000'000U + 600'000U + 1'125'000U + 1'200'000U + 7'500'000U + 10'000'000U);
  // 0.075 dollars a million: one cached token is 75 nano-dollars.
  EXPECT_EQ(price(PriceTable::shipped(), "openai", "gpt-4o-mini",
                  {.input = 1, .cache_read = 1, .known = true}),
            75U);
  // 0.00875 a million: three tokens are 26.25, rounded once.
  EXPECT_EQ(price(PriceTable::shipped(), "aws.bedrock", "amazon.nova-micro-v1:0",
                  {.input = 3, .cache_read = 3, .known = true}),
            26U);
  EXPECT_EQ(format_dollars(1'234'567'890), "1.234567890");
  EXPECT_EQ(format_dollars(75), "0.000000075");
}

TEST(Prices, LongPromptsTiersAndAudio) {
  const TokenUsage small{.input = 200'000, .output = 1'000'000, .known = true};
  const TokenUsage large{.input = 200'001, .output = 1'000'000, .known = true};
  EXPECT_EQ(price(PriceTable::shipped(), "gcp.gemini", "gemini-2.5-pro", small),
            250'000'000U + 10'000'000'000U);
  EXPECT_EQ(price(PriceTable::shipped(), "gcp.gemini", "gemini-2.5-pro", large),
            500'002'500U + 15'000'000'000U);
  EXPECT_EQ(
      price(PriceTable::shipped(), "openai", "gpt-5", {.input = 1'000'000, .known = true}, "flex"),
      625'000'000U);
  const Cost unknown_tier = PriceTable::shipped().cost("openai", "gpt-4o", "scale",
                                                       {.input = 1'000'000, .known = true}, kDay);
  EXPECT_EQ(unknown_tier.nano_dollars, 2'500'000'000U);
  EXPECT_NE(unknown_tier.note.find("scale"), std::string::npos);
  EXPECT_EQ(price(PriceTable::shipped(), "openai", "gpt-realtime",
                  {.input = 10, .audio_input = 4, .output = 10, .audio_output = 10, .known = true}),
            6U * 4000 + 4U * 32'000 + 10U * 64'000);
}

TEST(Prices, OverridesAreAskedFirst) {
  const auto table = table_of(R"(
prices:
  - providers: ["*"]
    models: ["house-*"]
    input: 0
    output: 0
  - {providers: [openai], models: [gpt-4o], input: 1, output: 2, from: 2026-01-01, until: 2026-10-31}
  - {providers: [openai], models: [gpt-4o], input: 3, output: 4, from: 2026-10-01}
)");
  const TokenUsage usage{.input = 1'000'000, .known = true};
  EXPECT_EQ(price(*table, "anywhere", "house-7b", usage), 0U);  // Free because somebody wrote so.
  EXPECT_EQ(price(*table, "openai", "gpt-4o", usage), 3'000'000'000U);  // What began last.
  EXPECT_EQ(table->cost("openai", "gpt-4o", "", usage, sys_days(2026y / 2 / 1)).nano_dollars,
            1'000'000'000U);
  EXPECT_EQ(table->cost("openai", "gpt-4o", "", usage, sys_days(2025y / 2 / 1)).nano_dollars,
            2'500'000'000U);  // The shipped one.
}

TEST(Prices, ErrorsNameFileLineAndKey) {
  const struct {
    const char* yaml;
    const char* says;
  } cases[] = {
      {"prices:\n  - providers: [openai]\n    models: [x]\n", "mine.yaml:2:5: prices[0].input"},
      {"prices:\n  - providers: [openai]\n    models: [x]\n    input: -1\n",
       "mine.yaml:4:12: prices[0].input"},
      {"prices:\n  - providers: [openai]\n    models: [x]\n    input: 1\n    ouput: 2\n",
       "did you mean \"output\""},
      {"prices:\n  - providers: [openai]\n    models: [x]\n    input: 1\n    from: 2026-13-01\n",
       "mine.yaml:5:11: prices[0].from"},
      {"prices:\n  - models: [x]\n    input: 1\n", "prices[0].providers"},
      {"prices:\n  - {providers: [a], models: [x], input: 1, above: {input: 2}}\n",
       "prices[0].above.tokens"},
      {"prices: [\n", "mine.yaml:"},
      {"", "prices"},
      {"prices:\n  - {providers: [a], models: [x], input: 1, input: 2}\n", "input"},
  };
  for (const auto& c : cases) {
    const auto table = PriceTable::with_overrides(c.yaml, "mine.yaml");
    ASSERT_FALSE(table) << c.yaml;
    EXPECT_NE(table.error().what.find(c.says), std::string::npos) << table.error().what;
  }
}

TEST(Prices, HugeCountsDoNotOverflow) {
  const auto table =
      table_of("prices: [{providers: [a], models: [m], input: 100000, output: 100000}]");
  const Cost cost =
      table->cost("a", "m", "", {.input = std::uint64_t{1} << 40, .known = true}, kDay);
  EXPECT_TRUE(!cost.nano_dollars || *cost.nano_dollars > 1'000'000'000'000'000U);
}

TEST(Prices, NamesWithoutTheirVersion) {
  EXPECT_EQ(unversioned("gpt-4o-2024-08-06"), "gpt-4o");
  EXPECT_EQ(unversioned("claude-sonnet-4-5-20250929"), "claude-sonnet-4-5");
  EXPECT_EQ(unversioned("us.anthropic.claude-3-haiku-20240307-v1:0"), "anthropic.claude-3-haiku");
  EXPECT_EQ(unversioned("models/gemini-2.0-flash"), "gemini-2.0-flash");
  EXPECT_EQ(unversioned("o3"), "o3");
  EXPECT_EQ(unversioned("-latest"), "-latest");
}

}  // namespace
}  // namespace agentsh::llm
