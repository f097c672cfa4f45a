// A proxy without sockets: client bytes in, server bytes out, through the same reader and writer as
// the real flow. For tests and fuzzing.
#pragma once

#include "proxy/codec/http/head_writer.h"
#include "proxy/codec/http/message_reader.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::http {

struct SeenMessage {
  std::string start;  // "POST /path" or "200".
  std::string host;
  std::string content;
  bool complete = false;
  friend bool operator==(const SeenMessage&, const SeenMessage&) = default;
};

class RequestPipe {
 public:
  void feed(std::string_view bytes);
  const std::string& output() const { return output_; }
  const std::vector<SeenMessage>& messages() const { return messages_; }
  Refusal refusal() const { return refusal_; }
  // Bytes that wait for more.
  std::size_t pending() const { return buffer_.size(); }
  std::size_t complete_messages() const;

 private:
  std::size_t step();

  RequestReader reader_;
  std::string buffer_;
  std::string output_;
  std::vector<SeenMessage> messages_;
  Refusal refusal_ = Refusal::kNone;
  bool in_body_ = false;
};

class ResponsePipe {
 public:
  explicit ResponsePipe(const ResponseContext& context) { reader_.expect(context); }
  void feed(std::string_view bytes);
  void close();
  const std::string& output() const { return output_; }
  const std::vector<SeenMessage>& messages() const { return messages_; }
  Refusal refusal() const { return refusal_; }
  // After the final response: what the server sent beyond it.
  const std::string& rest() const { return buffer_; }
  bool done() const { return done_; }

 private:
  std::size_t step();

  ResponseReader reader_;
  std::string buffer_;
  std::string output_;
  std::vector<SeenMessage> messages_;
  Refusal refusal_ = Refusal::kNone;
  bool in_body_ = false;
  bool done_ = false;
};

// Calls `run` with a pipe's worth of pieces: the whole, byte by byte, and split at every position.
template <class Run>
void for_each_cut(std::string_view payload, Run run) {
  run(std::vector<std::string_view>{payload});
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < payload.size(); ++i) bytes.push_back(payload.substr(i, 1));
  run(bytes);
  for (std::size_t i = 1; i < payload.size(); ++i) {
    run(std::vector<std::string_view>{payload.substr(0, i), payload.substr(i)});
  }
}

}  // namespace agentsh::http
