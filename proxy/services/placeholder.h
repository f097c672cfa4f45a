// What the sandbox holds instead of a secret, and finding it in what the sandbox sends.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::services {

// A new placeholder of a format such as "ghp_{rand:36}": the text before the brace and so many
// random letters and digits.
std::string make_placeholder(std::string_view format, std::size_t random_length);

struct Placeholder {
  std::string text;
  std::string service;
};

// The first of the placeholders in `text`, or null.
const Placeholder* find_placeholder(const std::vector<Placeholder>& all, std::string_view text);

// Replaces one text by another of the same length in a stream, whatever its pieces are, and looks
// for placeholders that must not be there. Holds back only what could be the beginning of either.
// The object refers to its arguments.
class PlaceholderStream {
 public:
  // With `own` empty nothing is replaced.
  PlaceholderStream(std::string_view own, std::string_view real,
                    const std::vector<Placeholder>& forbidden)
      : own_(own), real_(real), forbidden_(forbidden) {}

  // Appends what is final to `out`. A forbidden placeholder ends the stream: nothing of it is out.
  const Placeholder* push(std::string_view content, bool last, std::string& out);

 private:
  std::size_t safe_size() const;

  std::string_view own_;
  std::string_view real_;
  const std::vector<Placeholder>& forbidden_;
  std::string held_;
};

// `text` with every `from` replaced by `to`.
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

// The decoded credentials of "Basic ..." (RFC 7617); nothing for anything else.
std::optional<std::string> basic_credentials(std::string_view header_value);

}  // namespace agentsh::services
