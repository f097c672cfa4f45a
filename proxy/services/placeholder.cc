#include "proxy/services/placeholder.h"

#include "base/encoding.h"
#include "base/random.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace agentsh::services {
namespace {

constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// The longest beginning of `word`, not all of it, that `text` ends with.
std::size_t open_match(std::string_view text, std::string_view word) {
  if (word.empty()) return 0;
  std::size_t size = std::min(text.size(), word.size() - 1);
  for (; size > 0; --size) {
    if (text.ends_with(word.substr(0, size))) return size;
  }
  return 0;
}

bool is_basic(std::string_view scheme) {
  constexpr std::string_view kBasic = "basic";
  return std::ranges::equal(scheme, kBasic, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace

std::string make_placeholder(std::string_view format, std::size_t random_length) {
  std::string text(format.substr(0, format.find('{')));
  // Bytes of 248 and more would make some letters likelier.
  constexpr std::size_t kFair = 256 / kLetters.size() * kLetters.size();
  while (random_length > 0) {
    std::array<std::uint8_t, 64> bytes;
    fill_random(bytes);
    for (const std::uint8_t byte : bytes) {
      if (byte >= kFair || random_length == 0) continue;
      text += kLetters[byte % kLetters.size()];
      --random_length;
    }
  }
  return text;
}

const Placeholder* find_placeholder(const std::vector<Placeholder>& all, std::string_view text) {
  const auto found = std::ranges::find_if(all, [text](const Placeholder& one) {
    return text.find(one.text) != std::string_view::npos;
  });
  return found == all.end() ? nullptr : &*found;
}

std::size_t PlaceholderStream::safe_size() const {
  std::size_t open = open_match(held_, own_);
  for (const Placeholder& one : forbidden_) open = std::max(open, open_match(held_, one.text));
  return held_.size() - open;
}

const Placeholder* PlaceholderStream::push(std::string_view content, bool last, std::string& out) {
  held_ += content;
  if (const Placeholder* leaked = find_placeholder(forbidden_, held_)) return leaked;
  std::size_t begin = 0;
  for (std::size_t at; !own_.empty() && (at = held_.find(own_, begin)) != std::string::npos;) {
    out.append(held_, begin, at - begin);
    out += real_;
    begin = at + own_.size();
  }
  held_.erase(0, begin);
  const std::size_t safe = last ? held_.size() : safe_size();
  out.append(held_, 0, safe);
  held_.erase(0, safe);
  return nullptr;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  std::size_t begin = 0;
  while (true) {
    const std::size_t at = text.find(from, begin);
    out += text.substr(begin, at - begin);
    if (at == std::string_view::npos) return out;
    out += to;
    begin = at + from.size();
  }
}

std::optional<std::string> basic_credentials(std::string_view header_value) {
  const std::size_t blank = header_value.find(' ');
  if (blank == std::string_view::npos || !is_basic(header_value.substr(0, blank))) return {};
  std::string_view encoded = header_value.substr(blank);
  encoded.remove_prefix(std::min(encoded.find_first_not_of(' '), encoded.size()));
  return from_base64(encoded);
}

}  // namespace agentsh::services
