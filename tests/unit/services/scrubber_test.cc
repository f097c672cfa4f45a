#include "proxy/services/scrubber.h"

#include "base/encoding.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace agentsh::services {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kReal = "ghp_R3alValue0123456789abcdefghijklmnopq";
const std::string kFake = "ghp_FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE";

std::shared_ptr<const ScrubPlan> plan() {
  static const auto made = ScrubPlan::make(kReal, kFake);
  if (!made) ADD_FAILURE() << made.error().what;
  return *made;
}

std::string streamed(std::string_view text, std::size_t piece) {
  Scrubber scrubber(plan());
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    scrubber.push(text.substr(at, piece), at + piece >= text.size(), out);
  }
  return out;
}

std::string hex(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

TEST(Scrubber, TheValueBecomesThePlaceholderWhateverThePieces) {
  const std::string text = "{\"token\":\"" + kReal + "\",\"again\":\"" + kReal + "\"}";
  const std::string clean = "{\"token\":\"" + kFake + "\",\"again\":\"" + kFake + "\"}";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    ASSERT_EQ(streamed(text, piece), clean) << piece;
  }
  Scrubber scrubber(plan());
  EXPECT_EQ(scrubber.scrub("Bearer " + kReal), "Bearer " + kFake);
  EXPECT_EQ(scrubber.found(), 1u);
}

TEST(Scrubber, EncodingsOfItAreMaskedAtTheSameLength) {
  std::vector<std::string> encoded = {hex(kReal)};
  for (const char* before : {"", "u:", "xy:", "abc"}) encoded.push_back(to_base64(before + kReal));
  std::string percent;
  std::string json;
  for (const char c : kReal) {
    percent += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    json += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  }
  encoded.push_back(percent);
  encoded.push_back(json);
  for (const std::string& form : encoded) {
    const std::string text = "<" + form + ">";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, text.size()}) {
      const std::string out = streamed(text, piece);
      EXPECT_EQ(out.size(), text.size()) << form;
      EXPECT_THAT(out, HasSubstr("****************")) << form;
    }
  }
}

TEST(Scrubber, OtherTextIsUntouchedAndNotHeldBackForLong) {
  Scrubber scrubber(plan());
  std::string out;
  scrubber.push("data: hello\n\n", false, out);
  EXPECT_EQ(out, "data: hello\n\n");
  scrubber.push("ghp_", true, out);
  EXPECT_EQ(out, "data: hello\n\nghp_");
  EXPECT_EQ(scrubber.found(), 0u);
}

}  // namespace
}  // namespace agentsh::services
