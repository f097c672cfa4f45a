// Realtime sessions: messages of both sides edited, with and without compression, at every border.
#include "proxy/llm/realtime.h"

#include "base/json_reader.h"
#include "tests/unit/llm/exchange_run.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

using websocket::Message;
using websocket::MessageReader;
using websocket::MessageWriter;
using websocket::Opcode;
using websocket::Sender;

const std::string kMail = "jane.doe@example.com";

class Kept final : public RecordSink {
 public:
  void take(const Record& record) override { records.push_back(record); }
  std::vector<Record> records;
};

struct Session {
  explicit Session(std::string extensions)
      : extensions(std::move(extensions)), services(tokenizing_services()) {
    kept = std::make_shared<Kept>();
    services->sink = kept;
    EXPECT_TRUE(services->vault->placeholder_for(kMail, "EMAIL"));
    websocket::DeflateParameters parameters;
    if (websocket::read_negotiated(this->extensions, parameters) ==
        websocket::Negotiation::kDeflate) {
      deflate = parameters;
    }
    const auto target = recognise(
        {.host = "api.openai.com", .method = "GET", .path = "/v1/realtime?model=gpt-realtime"}, {});
    Record base;
    base.started = std::chrono::system_clock::now();
    realtime = RealtimeSession::make(*target, services, this->extensions, base);
  }

  std::string extensions;
  std::shared_ptr<LlmServices> services;
  std::shared_ptr<Kept> kept;
  std::optional<websocket::DeflateParameters> deflate;
  std::unique_ptr<RealtimeSession> realtime;
};

std::string frames(Sender sender, const Session& session, const std::vector<std::string>& texts) {
  MessageWriter writer(sender, session.deflate);
  std::string out;
  for (const std::string& text : texts) {
    writer.write({.payload = text, .compressed = true}, {1, 2, 3, 4}, out);
    writer.write({.opcode = Opcode::kPing, .payload = "p"}, {1, 2, 3, 4}, out);
  }
  return out;
}

std::vector<std::string> texts(Sender sender, const Session& session, std::string_view bytes) {
  MessageReader reader(sender, session.deflate);
  Message message;
  std::vector<std::string> found;
  reader.feed(bytes);
  while (reader.next(message) == websocket::Step::kMessage) {
    if (message.opcode == Opcode::kText) found.emplace_back(message.payload);
  }
  EXPECT_EQ(reader.failure(), websocket::Failure::kNone);
  return found;
}

constexpr const char* kExtensions[] = {"", "permessage-deflate",
                                       "permessage-deflate; server_no_context_takeover"};

TEST(LlmRealtime, EditsBothSides) {
  const std::string token = placeholder(kMail);
  for (const char* extensions : kExtensions) {
    for (std::size_t piece : {std::size_t{1}, std::size_t{5}, std::size_t{100'000}}) {
      Session session(extensions);
      ASSERT_NE(session.realtime, nullptr);
      const std::string sent = frames(
          Sender::kClient, session,
          {R"({"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"to jane.doe@example.com"}]}})",
           R"({"type":"input_audio_buffer.append","audio":"jane.doe@example.com"})"});
      std::string out;
      std::string reply;
      for (std::size_t at = 0; at < sent.size(); at += piece) {
        ASSERT_FALSE(
            session.realtime->from_client(std::string_view(sent).substr(at, piece), out, reply));
      }
      const auto to_server = texts(Sender::kClient, session, out);
      ASSERT_EQ(to_server.size(), 2U);
      EXPECT_NE(to_server[0].find("to " + token), std::string::npos);
      EXPECT_NE(to_server[1].find(kMail), std::string::npos);  // Audio is left alone.

      const std::string delta =
          R"({"type":"response.output_text.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":")";
      const std::string got = frames(
          Sender::kServer, session,
          {R"({"type":"session.created","session":{"model":"gpt-realtime-2025-08-28"}})",
           R"({"type":"response.created","response":{"id":"resp_1"}})",
           delta + "Mail " + token.substr(0, 7) + "\"}", delta + token.substr(7) + "\"}",
           delta + " or to\"}",
           R"({"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Mail )" +
               token + R"( or to"})",
           R"({"type":"response.done","response":{"id":"resp_1","status":"completed","usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,"input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64},"output_token_details":{"text_tokens":30,"audio_tokens":91}}}})"});
      out.clear();
      for (std::size_t at = 0; at < got.size(); at += piece) {
        ASSERT_FALSE(
            session.realtime->from_server(std::string_view(got).substr(at, piece), out, reply));
      }
      std::string text;
      for (const std::string& event : texts(Sender::kServer, session, out)) {
        auto parsed = JsonDocument::parse(event);
        ASSERT_TRUE(parsed);
        text += parsed->root().text("delta");
        if (parsed->root().text("type") == "response.output_text.done") {
          EXPECT_EQ(parsed->root().text("text"), "Mail " + kMail + " or to");
          EXPECT_EQ(text, "Mail " + kMail + " or to");
        }
      }
      EXPECT_TRUE(reply.empty());
      ASSERT_EQ(session.kept->records.size(), 1U);
      const Record& record = session.kept->records[0];
      EXPECT_EQ(record.usage, (TokenUsage{.input = 132,
                                          .cache_read = 64,
                                          .audio_input = 13,
                                          .output = 121,
                                          .audio_output = 91,
                                          .known = true}));
      EXPECT_EQ(record.model_answered, "gpt-realtime-2025-08-28");
      EXPECT_EQ(record.findings.size(), 1U);
      EXPECT_TRUE(record.cost.nano_dollars);
    }
  }
}

TEST(LlmRealtime, WhatBreaksOffIsRecorded) {
  Session session("");
  std::string out;
  std::string reply;
  ASSERT_FALSE(session.realtime->from_server(
      frames(Sender::kServer, session,
             {R"({"type":"response.created","response":{"id":"resp_1"}})"}),
      out, reply));
  session.realtime->finish();
  ASSERT_EQ(session.kept->records.size(), 1U);
  EXPECT_EQ(session.kept->records[0].ending, Ending::kInterrupted);
}

TEST(LlmRealtime, FailsClosed) {
  EXPECT_EQ(Session("x-other").realtime, nullptr);
  Session session("");
  std::string out;
  std::string reply;
  ASSERT_TRUE(
      session.realtime->from_client(frames(Sender::kClient, session, {"not json"}), out, reply));
  EXPECT_TRUE(out.empty());
  MessageReader reader(Sender::kServer, {});
  Message message;
  reader.feed(reply);
  ASSERT_EQ(reader.next(message), websocket::Step::kMessage);
  EXPECT_EQ(message.opcode, Opcode::kClose);
  EXPECT_EQ(message.code, 1008);
  Session other("");
  EXPECT_TRUE(other.realtime->from_server("\xff\xff\xff\xff", out, reply));
}

}  // namespace
}  // namespace agentsh::llm
