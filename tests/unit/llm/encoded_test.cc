// Bodies in content codings, and bodies that are no JSON.
#include "tests/unit/dlp/sample_detectors.h"
#include "tests/unit/llm/exchange_run.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace agentsh::llm {
namespace {

const std::string kMail = "jane.doe@example.com";
const std::string kBody = R"({"model":"gpt-5","input":"to jane.doe@example.com"})";

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

Script encoded(std::string_view encoding, std::string body) {
  return {.path = "/v1/responses",
          .request_encoding = std::string(encoding),
          .request = std::move(body),
          .answer = "{}"};
}

TEST(LlmEncoded, RequestsAreReadAndSentPlain) {
  for (const auto& [encoding, body] :
       {std::pair("gzip", gzip(kBody)), std::pair("zstd", zstd(kBody))}) {
    const Outcome outcome = run_all_ways(encoded(encoding, body), tokenizing_services);
    EXPECT_EQ(outcome.request, R"({"model":"gpt-5","input":"to )" + placeholder(kMail) + R"("})");
    EXPECT_EQ(outcome.begin.body, Plan::Body::kRewrite);
    EXPECT_EQ(outcome.begin.remove_fields, std::vector<std::string>{"Content-Encoding"});
    EXPECT_EQ(outcome.record.model_asked, "gpt-5");
  }
}

TEST(LlmEncoded, RequestsThatAreOnlyLookedAtStayEncoded) {
  const Outcome outcome = run(encoded("zstd", zstd(kBody)), std::make_shared<LlmServices>());
  EXPECT_EQ(outcome.begin.body, Plan::Body::kObserve);
  EXPECT_TRUE(outcome.begin.remove_fields.empty());
  EXPECT_EQ(outcome.record.model_asked, "gpt-5");
}

TEST(LlmEncoded, WhatCannotBeDecodedIsRefused) {
  EXPECT_EQ(run(encoded("snappy", "x"), tokenizing_services()).refusal->status, 415);
  for (const std::string& body : {std::string("not gzip"), gzip(kBody).substr(0, 30)}) {
    const Outcome outcome = run(encoded("gzip", body), tokenizing_services());
    ASSERT_TRUE(outcome.refusal);
    EXPECT_EQ(outcome.refusal->code, "invalid_encoding");
  }
  const std::string bomb = gzip("{\"input\":\"" + std::string(20 << 20, 'a') + "\"}");
  EXPECT_TRUE(run(encoded("gzip", bomb), tokenizing_services()).refusal);
}

TEST(LlmEncoded, AnswersThatComeEncodedAllTheSame) {
  const auto services = [] { return restoring_services({kMail}); };
  const std::string answer = R"({"model":"gpt-5","output":[{"content":[{"text":")" +
                             placeholder(kMail) +
                             R"("}]}],"usage":{"input_tokens":7,"output_tokens":2}})";
  Script script = encoded("", kBody);
  script.answer_encoding = "gzip";
  script.answer = gzip(answer);
  const Outcome outcome = run_all_ways(script, services);
  EXPECT_NE(outcome.answer.find(kMail), std::string::npos);
  EXPECT_EQ(outcome.begin_answer.remove_fields, std::vector<std::string>{"Content-Encoding"});
  EXPECT_EQ(outcome.record.usage.input, 7U);
  // Only looked at, it stays as it is and is counted.
  const Outcome observed = run(script, std::make_shared<LlmServices>());
  EXPECT_EQ(observed.answer, script.answer);
  EXPECT_EQ(observed.record.usage.input, 7U);
  script.answer_encoding = "snappy";
  EXPECT_EQ(run(script, services()).answer, script.answer);
}

TEST(LlmEncoded, BodiesThatAreNoJson) {
  Script script{.path = "/v1/files",
                .request_type = "multipart/form-data; boundary=b",
                .request =
                    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n"
                    "Content-Type: text/plain\r\n\r\nto jane.doe@example.com\r\n--b--\r\n",
                .answer = "{}"};
  const Outcome outcome = run_all_ways(script, tokenizing_services);
  ASSERT_FALSE(outcome.refusal) << outcome.refusal->message;
  EXPECT_NE(outcome.request.find("to " + placeholder(kMail) + "\r\n--b--"), std::string::npos);
  script.request_type = "text/plain";
  script.request = "to jane.doe@example.com";
  EXPECT_EQ(run_all_ways(script, tokenizing_services).request, "to " + placeholder(kMail));
  script.request_type = "multipart/form-data";
  EXPECT_EQ(run(script, tokenizing_services()).refusal->code, "unreadable_body");
  // A known dialect is JSON whatever the client says.
  script.path = "/v1/responses";
  script.request_type = "text/plain";
  EXPECT_EQ(run(script, tokenizing_services()).refusal->code, "invalid_json");
}

}  // namespace
}  // namespace agentsh::llm
