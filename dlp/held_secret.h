// A secret whose value we hold (a provider's key, a database password): looked for by value, in
// every encoding in which it commonly travels:
//
//   as it is; base64 and base64url at each of the three alignments, with or without line breaks;
//   hexadecimal in either case, with or without separators; URL-encoded with any subset of the
//   characters escaped, once or several times; JSON-, JavaScript- and C-escaped (\u0061, \x61, \")
//   with any subset of the characters escaped, at any depth of quoting.
#pragma once

#include <string>

namespace agentsh::dlp {

struct HeldSecret {
  static constexpr std::size_t kMinimum = 6;  // Shorter ones would be found by chance.
  static constexpr std::size_t kMaximum = 4096;

  std::string name;  // The detector's id is "held_" and this.
  std::string value;
};

}  // namespace agentsh::dlp
