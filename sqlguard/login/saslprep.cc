#include "sqlguard/login/saslprep.h"

#include "base/encoding.h"
#include "base/secret_text.h"

#include <stringprep.h>

#include <algorithm>
#include <vector>

namespace agentsh::sql {
namespace {

// A server's passwords are shorter than a message; the library works in quadratic time.
constexpr std::size_t kLongestPrepared = 1024;

}  // namespace

std::string prepared_password(std::string_view password) {
  std::string raw(password);
  const bool ascii =
      std::ranges::all_of(raw, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii || raw.size() > kLongestPrepared || !is_utf8(raw)) return raw;
  // Normalisation can lengthen a character eighteenfold (U+FDFA).
  std::string prepared(raw.size() * 18 + 1, '\0');
  std::ranges::copy(raw, prepared.begin());
  const int result =
      ::stringprep(prepared.data(), prepared.size(), STRINGPREP_NO_UNASSIGNED, stringprep_saslprep);
  prepared.resize(std::char_traits<char>::length(prepared.data()));
  if (result != STRINGPREP_OK || prepared.empty()) {
    wipe(prepared);
    return raw;
  }
  wipe(raw);
  return prepared;
}

}  // namespace agentsh::sql
