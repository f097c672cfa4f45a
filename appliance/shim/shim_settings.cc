#include "appliance/shim/shim_settings.h"

#include "base/file_io.h"

#include <unistd.h>

#include <algorithm>

namespace agentsh::shim {
namespace {

constexpr std::size_t kMaxFile = 64 << 10;
constexpr std::size_t kMaxSession = 128;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string set(ShimSettings& settings, std::string_view key, std::string_view value) {
  if (key == "force") {
    if (value != "true" && value != "1" && value != "false" && value != "0")
      return "force is true or false";
    settings.force = value == "true" || value == "1";
    return {};
  }
  if (key == "session") {
    const bool named = !value.empty() && value.size() <= kMaxSession && value.front() != '-' &&
                       std::ranges::all_of(value, [](char letter) {
                         return (letter >= '0' && letter <= '9') ||
                                (letter >= 'a' && letter <= 'z') ||
                                (letter >= 'A' && letter <= 'Z') || letter == '-' ||
                                letter == '_' || letter == '.';
                       });
    if (!named) return "session is a name of letters, digits, '-', '_' and '.'";
    settings.session = value;
    return {};
  }
  if (key == "ready_gate") return "ready_gate is not known here: each shell waits for the server";
  if (key == "shim_install")
    return "shim_install is not known here: the session's own filters hold the shell";
  return "unknown key \"" + std::string(key) + "\" (known: force, session)";
}

}  // namespace

Result<ShimSettings> parse_settings(std::string_view text, std::string_view file) {
  ShimSettings settings;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view whole = text.substr(0, end);
    const std::string_view line = trimmed(whole.substr(0, whole.find('#')));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    const std::string wrong =
        equals == std::string_view::npos
            ? "must be key=value"
            : set(settings, trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
    if (!wrong.empty())
      return fail(std::string(file) + ":" + std::to_string(number) + ": " + wrong);
  }
  return settings;
}

Result<ShimSettings> load_settings(const std::string& file) {
  if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) return ShimSettings{};
  auto text = read_file(file, kMaxFile);
  if (!text) return std::unexpected(text.error());
  return parse_settings(*text, file);
}

}  // namespace agentsh::shim
