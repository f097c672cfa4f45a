// What the tests of logins share: messages as bytes, machines fed in pieces.
#pragma once

#include "base/secret_text.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/login/login_failure.h"
#include "sqlguard/login/session_start.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

using ByteVector = std::vector<std::uint8_t>;

inline std::shared_ptr<const SecretText> secret(std::string_view text) {
  return std::make_shared<const SecretText>(SecretText::copy_of(text).value());
}

inline ByteVector bytes_of(const BackendMessage& message) {
  ByteWriter out;
  write(message, out);
  return out.take();
}
inline ByteVector bytes_of(const FrontendMessage& message) {
  ByteWriter out;
  write(message, out);
  return out.take();
}
inline ByteVector request(Authentication::Kind kind, std::string_view data = {}) {
  return bytes_of(BackendMessage(Authentication{.kind = kind, .data = as_bytes(data)}));
}
inline ByteVector response(std::string_view data) {
  return bytes_of(FrontendMessage(AuthenticationResponse{.data = as_bytes(data)}));
}
inline ByteVector operator+(ByteVector a, const ByteVector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// The messages between AuthenticationOk and the first ReadyForQuery.
inline ByteVector session_start() {
  static constexpr std::uint8_t kKey[] = {1, 2, 3, 4};
  return bytes_of(BackendMessage(ParameterStatus{"server_version", "15.0"})) +
         bytes_of(BackendMessage(BackendKeyData{.process = 7, .key = kKey})) +
         bytes_of(BackendMessage(Report{.is_error = false, .fields = {{'M', "welcome"}}})) +
         bytes_of(BackendMessage(ReadyForQuery{ReadyForQuery::State::kIdle}));
}

// One side of a connection: received bytes in pieces, what is not taken given again.
class Feed {
 public:
  // Gives `bytes` to `receive` in pieces of `piece` bytes; all that it sent, or its failure.
  template <class Receive>
  LoginResult<LoginStep> give(const ByteVector& bytes, std::size_t piece, Receive&& receive) {
    LoginStep all;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t count = std::min(piece, bytes.size() - at);
      buffer_.insert(buffer_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                     bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
      at += count;
      LoginResult<LoginStep> step = receive(Bytes(buffer_));
      if (!step) return step;
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(step->taken));
      all.send = std::move(all.send) + step->send;
      all.taken += step->taken;
      all.done = step->done;
    }
    return all;
  }
  std::size_t left() const { return buffer_.size(); }

 private:
  ByteVector buffer_;
};

inline std::string text_of(const ByteVector& frame) {
  const auto read = read_frame(frame, Direction::kFrontend);
  if (!read || !*read) return "?";
  return std::string(as_text((*read)->body));
}

}  // namespace agentsh::sql
