// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides (RFC 5802, 7677), on the text of their messages.
// No authorization identity, no extensions that must be understood.
//
// One thread each. No I/O.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::sql {

inline constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
inline constexpr std::string_view kScramSha256Plus = "SCRAM-SHA-256-PLUS";

using ScramHash = std::array<std::uint8_t, 32>;

struct ScramKeys {
  ScramHash client_key{}, stored_key{}, server_key{};
};
// From a password as it is (prepared here). Takes `iterations` times 0.5 µs.
ScramKeys scram_keys(std::string_view password, std::string_view salt, std::uint32_t iterations);

// 18 random bytes in Base64, as PostgreSQL's are.
std::string scram_nonce();

// What the first message says about channel binding (RFC 5802, section 6).
enum class Gs2Flag : char {
  kNone = 'n',       // The client cannot bind.
  kUnoffered = 'y',  // It could, and believes that the server cannot.
  kBound = 'p',      // tls-server-end-point.
};

class ScramClient {
 public:
  // `end_point` is the binding's data, for kBound. PostgreSQL takes the user's name from the
  // StartupMessage and none from here.
  ScramClient(Gs2Flag flag, Bytes end_point, std::string nonce, std::string user = {});
  ~ScramClient();
  ScramClient(ScramClient&&) noexcept = default;
  ScramClient& operator=(ScramClient&&) noexcept = default;

  std::string first() const;
  // The client's final message. Fails on a nonce that does not begin with ours, on iterations out
  // of 1 to `maximum_iterations`, on what is malformed.
  Result<std::string> answer(std::string_view server_first, std::string_view password,
                             std::uint32_t maximum_iterations);
  // Does the server know the password? Fails if it does not show it.
  Result<> verify(std::string_view server_final) const;

 private:
  std::string gs2_header() const;
  std::string bare() const;

  Gs2Flag flag_;
  std::string end_point_;
  std::string nonce_;
  std::string user_;
  std::string auth_message_;
  ScramHash server_key_{};
};

class ScramServer {
 public:
  // `offered`: -PLUS was offered, bound to `end_point`; `plus`: the client chose it.
  ScramServer(bool offered, bool plus, Bytes end_point, std::string nonce);

  // The server's first message. Fails on a flag that does not go with what was offered and chosen,
  // and on what is malformed.
  Result<std::string> answer(std::string_view client_first, std::string_view salt,
                             std::uint32_t iterations);
  // The server's final message; nothing if the proof is wrong. Fails on a nonce or a binding that
  // is not ours, and on what is malformed.
  Result<std::optional<std::string>> finish(std::string_view client_final,
                                            const ScramHash& stored_key,
                                            const ScramHash& server_key) const;

 private:
  bool offered_, plus_;
  std::string end_point_;
  std::string nonce_;       // Ours.
  std::string both_nonce_;  // The client's and ours.
  std::string gs2_header_;
  std::string messages_;  // The two first messages, with commas.
};

}  // namespace agentsh::sql
