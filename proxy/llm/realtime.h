// A Realtime session (OpenAI's API over WebSocket) without I/O: what each side sends is read as
// messages, edited as requests and answers are, and written to the other side anew.
//
//   RealtimeSession session(target, services, extensions, on_record);
//   session.from_client(bytes, to_server, to_client) ... session.from_server(bytes, to_client) ...
//   session.finish()
//
// Each answer of the model has a record of its own, given out when its `response.done` passes. It
// is paid for from the budget from when it is asked for, or begins without (a server that hears
// when the speaker is done).
//
// Control messages pass in their places. What cannot be read (binary messages, where something is
// looked for), must not go out or is not paid for ends the connection: the client gets an event
// `error` that says why, and both sides a close frame.
//
// Threads: one owner.
#pragma once

#include "proxy/codec/websocket/message_reader.h"
#include "proxy/codec/websocket/message_writer.h"
#include "proxy/llm/services.h"
#include "proxy/llm/stream_editor.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::llm {

class RealtimeSession {
 public:
  // `extensions`: Sec-WebSocket-Extensions of the server's 101. `base` is the record that those of
  // the answers begin from (session, host, path, started). Nothing when the extensions are ones
  // that frames cannot be read with.
  static std::unique_ptr<RealtimeSession> make(const Target& target,
                                               std::shared_ptr<const LlmServices> services,
                                               std::string_view extensions, Record base);

  ~RealtimeSession();

  // Append to `out` what goes to the other side. A refusal ends the connection: the last that each
  // side gets is then in `out`, and for whoever sent the bytes in `reply`.
  std::optional<Refusal> from_client(std::string_view bytes, std::string& out, std::string& reply);
  std::optional<Refusal> from_server(std::string_view bytes, std::string& out, std::string& reply);
  // The connection is over. An answer that had begun is recorded as interrupted.
  void finish();

 private:
  RealtimeSession(const Target& target, std::shared_ptr<const LlmServices> services,
                  std::optional<websocket::DeflateParameters> deflate, Record base);

  std::optional<Refusal> take_client(websocket::Message message, std::string& out);
  std::optional<Refusal> edit_client(std::string_view text, std::string& out);
  std::optional<Refusal> check_control(std::string_view payload);
  std::optional<Refusal> take_server(const websocket::Message& message, std::string& out);
  std::optional<Refusal> reserve();
  std::optional<Refusal> refuse(Refusal refusal, std::uint16_t to_client, std::uint16_t to_server,
                                std::string& client_out, std::string& server_out);
  void write(websocket::MessageWriter& writer, const websocket::Message& message, std::string& out);
  void begin_answer();
  void end_answer(Ending ending);

  Target target_;
  std::shared_ptr<const LlmServices> services_;
  Record base_;
  websocket::MessageReader client_reader_;
  websocket::MessageReader server_reader_;
  websocket::MessageWriter to_client_;
  websocket::MessageWriter to_server_;
  std::unique_ptr<AnswerFacts> facts_;
  std::unique_ptr<StreamEditor> editor_;
  EventOutcome outcome_;
  std::optional<dlp::Redactor> redactor_;  // Of what the client sends until the next answer.
  std::string edited_;
  std::string model_;
  std::string id_;  // Of the next record.
  std::string refusal_;
  bool answering_ = false;
  bool reserved_ = false;
};

}  // namespace agentsh::llm
