#include "appliance/config/size_text.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace agentsh::config {
namespace {

struct Unit {
  std::string_view letter;
  unsigned shift;
};
constexpr Unit kUnits[] = {{"G", 30}, {"M", 20}, {"K", 10}};

// The power of two that a suffix stands for.
std::optional<unsigned> unit_shift(std::string_view suffix) {
  if (suffix.empty() || suffix == "B" || suffix == "b") return 0;
  for (const Unit& unit : kUnits) {
    const char given = suffix.front();
    if (given != unit.letter[0] && given != unit.letter[0] - 'A' + 'a') continue;
    const std::string_view rest = suffix.substr(1);
    if (rest.empty() || rest == "B" || rest == "b" || rest == "iB" || rest == "ib") {
      return unit.shift;
    }
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return {};
  std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (suffix.starts_with(' ')) suffix.remove_prefix(1);
  auto shift = unit_shift(suffix);
  if (!shift || value > (std::numeric_limits<std::uint64_t>::max() >> *shift)) return {};
  return value << *shift;
}

std::string format_size(std::uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    const std::uint64_t size = std::uint64_t{1} << unit.shift;
    if (bytes >= size && bytes % size == 0) return fmt::format("{}{}B", bytes / size, unit.letter);
  }
  return fmt::format("{}", bytes);
}

}  // namespace agentsh::config
