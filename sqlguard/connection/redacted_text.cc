#include "sqlguard/connection/redacted_text.h"

#include "base/bytes.h"
#include "base/encoding.h"
#include "sqlguard/classifier/text_scan.h"

#include <openssl/sha.h>

#include <array>

namespace agentsh::sql {
namespace {

// Is there a blank between the two in the shortened text?
bool apart(char before, Token::Kind kind, std::string_view text) {
  if (before == '(' || before == '.' || before == '[' || before == '$') return false;
  if (kind != Token::Kind::kPunctuation) return true;
  return text != "," && text != ")" && text != "." && text != ";" && text != "(" && text != "[" &&
         text != "]";
}

}  // namespace

std::string without_constants(std::string_view sql) {
  std::string result;
  result.reserve(sql.size());
  TokenReader tokens(sql);
  for (Token token = tokens.next(); token.kind != Token::Kind::kEnd; token = tokens.next()) {
    const bool constant = token.kind == Token::Kind::kString || token.kind == Token::Kind::kNumber;
    if (!result.empty() && apart(result.back(), token.kind, token.text)) result += ' ';
    result += constant ? std::string_view("?") : token.text;
  }
  return result;
}

std::string digest_of(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> hash;
  SHA256(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), hash.data());
  return "sha256:" + to_hex(hash);
}

}  // namespace agentsh::sql
