// Realtime sessions: messages of both sides edited, with and without compression, at every border.
#include "proxy/llm/realtime.h"

#include "base/json_reader.h"
#include "tests/unit/dlp/sample_detectors.h"
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
    restart();
  }

  // With services that were changed.
  void restart() {
    const auto target = recognise(
        {.host = "api.openai.com", .method = "GET", .path = "/v1/realtime?model=gpt-realtime"}, {});
    Record base;
    base.started = std::chrono::system_clock::now();
    realtime = RealtimeSession::make(*target, services, extensions, base);
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

// The close codes and the texts of a stream of frames.
struct Said {
  std::vector<std::string> texts;
  std::uint16_t close = 0;
};

Said said(Sender sender, std::string_view bytes) {
  MessageReader reader(sender, {});
  Message message;
  Said found;
  reader.feed(bytes);
  while (reader.next(message) == websocket::Step::kMessage) {
    if (message.opcode == Opcode::kText) found.texts.emplace_back(message.payload);
    if (message.opcode == Opcode::kClose) found.close = message.code;
  }
  return found;
}

// Both sides are told; the client gets an event of the API's own.
void expect_refused(const std::optional<Refusal>& refusal, std::string_view code,
                    std::string_view client, std::string_view server) {
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, code);
  const Said to_client = said(Sender::kServer, client);
  EXPECT_EQ(to_client.close, 1008);
  ASSERT_EQ(to_client.texts.size(), 1U);
  EXPECT_NE(to_client.texts[0].find("\"type\":\"error\""), std::string::npos);
  EXPECT_NE(to_client.texts[0].find(code), std::string::npos);
  const Said to_server = said(Sender::kClient, server);
  EXPECT_EQ(to_server.close, 1001);
  EXPECT_TRUE(to_server.texts.empty());
}

TEST(LlmRealtime, FailsClosed) {
  EXPECT_EQ(Session("x-other").realtime, nullptr);
  Session session("");
  std::string out;
  std::string reply;
  expect_refused(
      session.realtime->from_client(frames(Sender::kClient, session, {"not json"}), out, reply),
      "invalid_json", reply, out);
  Session other("");
  EXPECT_TRUE(other.realtime->from_server("\xff\xff\xff\xff", out, reply));
}

TEST(LlmRealtime, NothingHidesInOtherFrames) {
  const auto frame = [](Opcode opcode, std::string_view payload) {
    std::string out;
    MessageWriter(Sender::kClient, {})
        .write({.opcode = opcode, .payload = payload}, {1, 2, 3, 4}, out);
    return out;
  };
  for (const auto& [opcode, code] : {std::pair(Opcode::kBinary, "message_not_inspected"),
                                     std::pair(Opcode::kPing, "dlp_blocked")}) {
    Session session("");
    std::string out;
    std::string reply;
    expect_refused(session.realtime->from_client(frame(opcode, kMail), out, reply), code, reply,
                   out);
    session.realtime->finish();
    ASSERT_EQ(session.kept->records.size(), 1U);
    EXPECT_EQ(session.kept->records[0].ending, Ending::kRefused);
    EXPECT_EQ(session.kept->records[0].refusal, code);
  }
}

TEST(LlmRealtime, AnswersAreBlocked) {
  Session session("");
  session.services->answer_profile = dlp::sample_profile({.mode = dlp::Mode::kBlock});
  session.restart();
  std::string out;
  std::string reply;
  const std::string bytes = frames(
      Sender::kServer, session,
      {R"({"type":"response.output_text.done","output_index":0,"content_index":0,"text":"joe@other-mail.com"})"});
  expect_refused(session.realtime->from_server(bytes, out, reply), "dlp_blocked", out, reply);
  EXPECT_EQ(out.find("joe@"), std::string::npos);
}

// Pays for one answer.
class OneAnswer final : public Budget {
 public:
  std::optional<Refusal> reserve(std::string_view id, const Target&,
                                 const RequestFacts& request) override {
    EXPECT_GT(request.bytes, 0U);
    if (!reserved.empty()) return Refusal{.status = 429, .code = "budget_exceeded", .message = "m"};
    reserved = id;
    return {};
  }
  void settle(const Record& record) override {
    EXPECT_EQ(record.id, reserved);
    ++settled;
  }
  std::string reserved;
  int settled = 0;
};

TEST(LlmRealtime, EachAnswerIsPaidFor) {
  Session session("");
  const auto budget = std::make_shared<OneAnswer>();
  session.services->budget = budget;
  session.restart();
  std::string out;
  std::string reply;
  const std::string ask = frames(Sender::kClient, session, {R"({"type":"response.create"})"});
  ASSERT_FALSE(session.realtime->from_client(ask, out, reply));
  EXPECT_FALSE(budget->reserved.empty());
  ASSERT_FALSE(session.realtime->from_server(
      frames(
          Sender::kServer, session,
          {R"({"type":"response.created","response":{"id":"r"}})",
           R"({"type":"response.done","response":{"id":"r","usage":{"total_tokens":3,"input_tokens":2,"output_tokens":1}}})"}),
      out, reply));
  EXPECT_EQ(budget->settled, 1);
  out.clear();
  // One that the client spells in another way begins unpaid, and does not reach it.
  const std::string hidden =
      frames(Sender::kClient, session, {R"({"type":"response.creat\u0065"})"});
  ASSERT_FALSE(session.realtime->from_client(hidden, out, reply));
  out.clear();
  expect_refused(session.realtime->from_server(
                     frames(Sender::kServer, session,
                            {R"({"type":"response.created","response":{"id":"r2"}})"}),
                     out, reply),
                 "budget_exceeded", out, reply);
  EXPECT_EQ(budget->settled, 1);
}

}  // namespace
}  // namespace agentsh::llm
