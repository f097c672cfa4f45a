#include "dlp/body_editor.h"

#include "dlp/redactor.h"
#include "dlp/restorer.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <gtest/gtest.h>

namespace agentsh::dlp {
namespace {

const std::string kToken = "ghp_" + std::string(36, 'a');
const std::string kHidden = "[REDACTED:github_token]";

// The body after it went through in pieces of `size` bytes; the error's sentence otherwise.
std::string edited(std::string_view type, std::string_view body, std::size_t size,
                   TextEditor& editor) {
  auto made = make_body_editor(type, editor);
  if (!made) return made.error().what;
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) {
    if (auto ok = (*made)->push(body.substr(0, size), out); !ok) return ok.error().what;
  }
  if (auto ok = (*made)->finish(out); !ok) return ok.error().what;
  return out;
}

std::string redacted(std::string_view type, std::string_view body) {
  const auto profile = sample_profile();
  Redactor whole(profile, nullptr);
  const std::string out = edited(type, body, body.size() + 1, whole);
  for (const std::size_t size : {1u, 2u, 3u, 7u, 40u}) {
    Redactor piecewise(profile, nullptr);
    EXPECT_EQ(edited(type, body, size, piecewise), out) << size;
  }
  return out;
}

TEST(BodyEditor, ChoosesByMediaType) {
  const std::string json = R"({"a":"\u0067hp_)" + std::string(36, 'a') + R"("})";
  const std::string clean = R"({"a":")" + kHidden + R"("})";
  EXPECT_EQ(redacted("application/json", json), clean);
  EXPECT_EQ(redacted("Application/Problem+JSON; charset=utf-8", json), clean);
  EXPECT_EQ(redacted("text/plain", "x " + kToken), "x " + kHidden);
  EXPECT_EQ(redacted("", "x " + kToken), "x " + kHidden);
  EXPECT_EQ(redacted("application/octet-stream", "\xff\x01 " + kToken), "\xff\x01 " + kHidden);
  EXPECT_TRUE(redacted("application/json", "{").contains("ends too early"));
  EXPECT_TRUE(redacted("multipart/form-data", "").contains("without a good boundary"));
}

TEST(BodyEditor, BlockingIsAnError) {
  for (const std::string_view type :
       {"text/plain", "application/json", "application/x-www-form-urlencoded"}) {
    Redactor redactor(sample_profile({.mode = Mode::kBlock}), nullptr);
    const std::string body = type == "application/json" ? "\"" + kToken + "\"" : "a=" + kToken;
    EXPECT_EQ(edited(type, body, 5, redactor), "the text was refused") << type;
  }
}

TEST(BodyEditor, MediaTypesAndParameters) {
  EXPECT_EQ(media_type(" Text/HTML ; charset=x"), "text/html");
  EXPECT_EQ(media_parameter("a/b; x=1; Boundary=\"a;\\\"b\" ;y=2", "boundary"), "a;\"b");
  EXPECT_EQ(media_parameter("a/b; x=1; Boundary=\"a;b\" ;y=2", "y"), "2");
  EXPECT_EQ(media_parameter("a/b; boundary=abc", "boundary"), "abc");
  EXPECT_EQ(media_parameter("a/b; boundary", "boundary"), "");
  EXPECT_EQ(media_parameter("a/b", "boundary"), "");
}

constexpr std::string_view kForm = "application/x-www-form-urlencoded";

TEST(FormEditor, EditsValuesOnly) {
  EXPECT_EQ(redacted(kForm, "a=1&b=" + kToken + "&c=%20+x%zz%4"),
            "a=1&b=%5BREDACTED%3Agithub_token%5D&c=%20+x%zz%4");
  EXPECT_EQ(redacted(kForm, kToken + "=1&&=&=x&y"), kToken + "=1&&=&=x&y");
  EXPECT_EQ(redacted(kForm, "mail=bob%40example.com"), "mail=%5BREDACTED%3Aemail%5D");
  EXPECT_EQ(redacted(kForm, "q=see+%67hp_" + std::string(36, 'a') + "+now"),
            "q=see+%5BREDACTED%3Agithub_token%5D+now");
  EXPECT_EQ(redacted(kForm, "pass%77ord=hunter2hunter2"), "pass%77ord=%5BREDACTED%3Apassword%5D");
  EXPECT_EQ(redacted(kForm, ""), "");
}

TEST(FormEditor, RoundTrip) {
  const auto vault = std::make_shared<Vault>();
  Redactor redactor(sample_profile({.mode = Mode::kTokenize}), vault);
  const std::string sent = edited(kForm, "a=bob@example.com&b=2", 3, redactor);
  EXPECT_TRUE(sent.starts_with("a=TOK_EMAIL_")) << sent;
  Restorer restorer(vault);
  EXPECT_EQ(edited(kForm, sent, 4, restorer), "a=bob%40example.com&b=2");
}

constexpr std::string_view kMultipart = "multipart/form-data; boundary=\"xYz\"";

std::string part(std::string_view header, std::string_view content) {
  return "--xYz\r\n" + std::string(header) + "\r\n" + std::string(content) + "\r\n";
}

TEST(MultipartEditor, EditsTextPartsAndNothingElse) {
  const std::string named = "Content-Disposition: form-data; name=\"password\"\r\n";
  const std::string file =
      "content-disposition: form-data; name=\"f\"; filename=\"x.png\"\r\nContent-Type: "
      "image/png\r\n";
  const std::string json = "Content-Type: application/json\r\n";
  const std::string body = "preamble\r\n" + part(named, "hunter2hunter2") + part("", kToken) +
                           part(file, kToken) + part(json, "{\"a\": \"" + kToken + "\"}") +
                           part(named, "") + "--xYz--\r\nepilogue";
  const std::string clean =
      "preamble\r\n" + part(named, "[REDACTED:password]") + part("", kHidden) + part(file, kToken) +
      part(json, "{\"a\": \"" + kHidden + "\"}") + part(named, "") + "--xYz--\r\nepilogue";
  EXPECT_EQ(redacted(kMultipart, body), clean);
  EXPECT_EQ(redacted(kMultipart, body.substr(10)), clean.substr(10));
}

TEST(MultipartEditor, ContentLikeADelimiter) {
  const std::string body = part("", "\r\n--xY\r\n-xYz--\r\n--\r\n" + kToken) + "--xYz--";
  EXPECT_EQ(redacted(kMultipart, body),
            part("", "\r\n--xY\r\n-xYz--\r\n--\r\n" + kHidden) + "--xYz--");
}

TEST(MultipartEditor, WhatCannotBeLookedAtIsAnError) {
  EXPECT_TRUE(redacted(kMultipart, "--xYz\r\n\r\nabc").contains("no closing delimiter"));
  EXPECT_TRUE(redacted(kMultipart, "").contains("no closing delimiter"));
  EXPECT_TRUE(redacted(kMultipart, "--xYzab\r\n\r\nabc").contains("delimiter goes on"));
  EXPECT_TRUE(redacted(kMultipart, "--xYz\r\nA: " + std::string(20'000, 'a'))
                  .contains("header of a part is too long"));
  EXPECT_TRUE(
      redacted(kMultipart, part("Content-Transfer-Encoding: BASE64\r\n", "YQ==") + "--xYz--")
          .contains("encoded as base64"));
  EXPECT_TRUE(redacted(kMultipart, part("Content-Type: application/json\r\n", "{") + "--xYz--")
                  .contains("invalid JSON"));
}

}  // namespace
}  // namespace agentsh::dlp
