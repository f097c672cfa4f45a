#include "proxy/services/placeholder.h"

#include <gmock/gmock.h>

namespace agentsh::services {
namespace {

const std::string kOwn = "ghp_abcabcabcabcabcabcabcabc";
const std::string kReal = "ghp_REALREALREALREALREALREAL";
const std::vector<Placeholder> kOthers = {{"sk-ababababababababababababab", "other"}};

std::string through(std::string_view text, std::size_t split, const Placeholder** leaked) {
  PlaceholderStream stream(kOwn, kReal, kOthers);
  std::string out;
  *leaked = stream.push(text.substr(0, split), false, out);
  if (*leaked == nullptr) *leaked = stream.push(text.substr(split), true, out);
  return out;
}

TEST(Placeholder, HasTheFormatsLookAndIsNotGuessed) {
  const std::string one = make_placeholder("ghp_{rand:36}", 36);
  EXPECT_EQ(one.size(), 40u);
  EXPECT_THAT(one, ::testing::MatchesRegex("ghp_[A-Za-z0-9]+"));
  EXPECT_NE(one, make_placeholder("ghp_{rand:36}", 36));
  EXPECT_EQ(make_placeholder("{rand:200}", 200).size(), 200u);
}

TEST(PlaceholderStream, ReplacesWhateverThePieces) {
  const std::string text = "x" + kOwn + kOwn + "ghp_abc" + kOwn.substr(0, 20) + kOwn + "y";
  const std::string expected = "x" + kReal + kReal + "ghp_abc" + kOwn.substr(0, 20) + kReal + "y";
  const Placeholder* leaked = nullptr;
  for (std::size_t split = 0; split <= text.size(); ++split) {
    ASSERT_EQ(through(text, split, &leaked), expected) << split;
    ASSERT_EQ(leaked, nullptr);
  }
  PlaceholderStream bytes(kOwn, kReal, kOthers);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bytes.push(std::string_view(text).substr(i, 1), i + 1 == text.size(), out);
  }
  EXPECT_EQ(out, expected);
}

TEST(PlaceholderStream, AForbiddenOneEndsItAndNothingOfItIsOut) {
  const std::string text = "token=" + kOthers[0].text + "&more";
  for (std::size_t split = 0; split <= text.size(); ++split) {
    const Placeholder* leaked = nullptr;
    const std::string out = through(text, split, &leaked);
    ASSERT_NE(leaked, nullptr) << split;
    EXPECT_EQ(leaked->service, "other");
    EXPECT_TRUE(std::string_view("token=").starts_with(out)) << out;
  }
}

TEST(PlaceholderStream, ARealValueIsNotReadAgain) {
  // The end of the value and what follows look like the placeholder.
  const std::string own = "abababababababababababab12";
  const std::string real = "12121212121212121212121ab2";
  const std::vector<Placeholder> none;
  PlaceholderStream stream(own, real, none);
  std::string out;
  stream.push(own, false, out);
  stream.push(own.substr(1), true, out);
  EXPECT_EQ(out, real + own.substr(1));
}

TEST(Basic, Credentials) {
  EXPECT_EQ(basic_credentials("Basic dTpw").value(), "u:p");
  EXPECT_EQ(basic_credentials("bAsIc   dTpw").value(), "u:p");
  EXPECT_FALSE(basic_credentials("Bearer dTpw"));
  EXPECT_FALSE(basic_credentials("Basic !"));
  EXPECT_FALSE(basic_credentials("Basic"));
}

}  // namespace
}  // namespace agentsh::services
