#include "base/random.h"

#include "base/encoding.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace agentsh {

void fill_random(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::perror("getrandom");
      std::abort();
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::string random_uuid() {
  std::array<std::uint8_t, 16> bytes;
  fill_random(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text = to_hex(bytes);
  for (std::size_t position : {20u, 16u, 12u, 8u}) text.insert(position, 1, '-');
  return text;
}

std::string random_name(std::size_t length) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr unsigned kUnbiased = 256 - 256 % kAlphabet.size();
  std::string name;
  while (name.size() < length) {
    std::array<std::uint8_t, 32> bytes;
    fill_random(bytes);
    for (std::uint8_t byte : bytes) {
      if (byte < kUnbiased && name.size() < length) name += kAlphabet[byte % kAlphabet.size()];
    }
  }
  return name;
}

}  // namespace agentsh
