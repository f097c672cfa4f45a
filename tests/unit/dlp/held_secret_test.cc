#include "dlp/held_secret.h"

#include "base/encoding.h"
#include "dlp/redactor.h"
#include "dlp/scanner.h"
#include "dlp/text_stream.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace agentsh::dlp {
namespace {

const std::string kSecret = "s3cr3t/Value+w\"th \\odd=chars&more";
const std::string kLong = [] {
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("{:x}", i * 7919);
  return text;
}();

const std::shared_ptr<const Scanner>& scanner() {
  static const auto built = [] {
    const HeldSecret secrets[] = {{"odd", kSecret}, {"long", kLong}, {"short", "pass-1"}};
    auto made = sample_scanner()->with_secrets(secrets);
    if (!made) {
      fmt::print(stderr, "{}\n", made.error().what);
      std::abort();
    }
    return *made;
  }();
  return built;
}

std::shared_ptr<const Profile> profile() {
  static const auto made = [] {
    ProfileSettings settings{.mode = Mode::kDisabled};
    for (const char* id : {"held_odd", "held_long", "held_short"}) {
      settings.detectors.emplace(id, Mode::kRedact);
    }
    return *Profile::make(scanner(), settings);
  }();
  return made;
}

std::string redacted(std::string_view text) {
  Redactor redactor(profile(), nullptr);
  return edit_text(redactor, text);
}

using Encode = std::string (*)(std::string_view text, std::mt19937_64& random);

std::string url_encoded(std::string_view text, std::mt19937_64& random) {
  std::string out;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    switch (random() % 4) {
      case 0:
        out += fmt::format("%{:02x}", value);
        break;
      case 1:
        out += fmt::format("%{:02X}", value);
        break;
      case 2:
        out += fmt::format("%25{:02X}", value);
        break;
      default:
        out += byte == ' ' ? '+' : byte;
    }
  }
  return out;
}

std::string json_escaped(std::string_view text, std::mt19937_64& random) {
  std::string out;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    switch (random() % 4) {
      case 0:
        out += fmt::format("\\u{:04x}", value);
        break;
      case 1:
        out += fmt::format("\\\\\\x{:02X}", value);
        break;
      default:
        if (byte == '"' || byte == '\\') out += '\\';
        out += byte;
    }
  }
  return out;
}

std::string hexadecimal(std::string_view text, std::mt19937_64& random) {
  const char* separator = random() % 2 == 0 ? "" : ":";
  std::string out;
  for (const char byte : text) {
    if (!out.empty()) out += separator;
    out += random() % 2 == 0 ? fmt::format("{:02x}", static_cast<unsigned char>(byte))
                             : fmt::format("{:02X}", static_cast<unsigned char>(byte));
  }
  return out;
}

std::string plain(std::string_view text, std::mt19937_64&) {
  return std::string(text);
}

TEST(HeldSecret, IsFoundInEveryEncoding) {
  std::mt19937_64 random(1);
  for (const std::string& secret : {kSecret, kLong, std::string("pass-1")}) {
    for (const Encode encode : {plain, url_encoded, json_escaped, hexadecimal}) {
      for (int round = 0; round < 40; ++round) {
        const std::string text = encode(secret, random);
        const std::string out = redacted("key=" + text + ", and");
        EXPECT_TRUE(out.starts_with("key=[REDACTED:held_") && out.ends_with("], and"))
            << text << " -> " << out;
      }
    }
  }
}

TEST(HeldSecret, IsFoundInBase64AtEveryAlignment) {
  for (const std::string& secret : {kSecret, kLong, std::string("pass-1")}) {
    for (std::size_t before = 0; before < 6; ++before) {
      std::string text = to_base64(std::string(before, 'x') + secret + "tail");
      EXPECT_TRUE(redacted(text).contains("[REDACTED:held_")) << text;
      for (char& byte : text) byte = byte == '+' ? '-' : byte == '/' ? '_' : byte;
      EXPECT_TRUE(redacted(text).contains("[REDACTED:held_")) << text;
      for (const std::string_view line_break : {"\n", "\r\n", "\\r\\n"}) {
        std::string wrapped;
        for (std::size_t i = 0; i < text.size(); ++i) {
          if (i % 19 == 18) wrapped += line_break;
          wrapped += text[i];
        }
        EXPECT_TRUE(redacted(wrapped).contains("[REDACTED:held_")) << wrapped;
      }
    }
  }
}

TEST(HeldSecret, OthersAreNot) {
  const std::string begun = kLong.substr(0, kLong.size() / 2);
  EXPECT_EQ(redacted(begun), begun);
  EXPECT_EQ(redacted("s3cr3t/Value+without"), "s3cr3t/Value+without");
}

TEST(HeldSecret, ChunksDoNotMatter) {
  std::mt19937_64 random(2);
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += url_encoded(kSecret, random) + " " + json_escaped(kSecret, random);
    text += to_base64(std::string(static_cast<std::size_t>(i), 'y') + kSecret) + kLong;
    text += kSecret.substr(0, 10 + random() % 20) + kLong.substr(0, random() % kLong.size());
  }
  const std::string expected = redacted(text);
  EXPECT_FALSE(expected.contains(kSecret));
  for (const std::size_t most : {1u, 3u, 100u}) {
    Redactor redactor(profile(), nullptr);
    TextStream stream(redactor);
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(text.size() - at, 1 + random() % most);
      stream.push(std::string_view(text).substr(at, size), out);
      at += size;
    }
    stream.finish(out);
    EXPECT_EQ(out, expected) << most;
  }
}

TEST(HeldSecret, TooShortIsRefused) {
  const HeldSecret secrets[] = {{"pin", "12345"}};
  const auto made = sample_scanner()->with_secrets(secrets);
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().what.contains("secret pin is shorter than 6 bytes"));
}

}  // namespace
}  // namespace agentsh::dlp
