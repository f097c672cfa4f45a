// Any bytes as JSON in any chunks: the same output or the same error; what is accepted is what our
// reader accepts, and stays JSON; without hits it stays as it was.
#include "base/json_reader.h"
#include "dlp/json_editor.h"
#include "tests/fuzz/dlp/fuzz_detectors.h"

#include <optional>

using namespace agentsh::dlp;

namespace {

std::optional<std::string> edited(std::string_view json, std::size_t size,
                                  std::uint64_t* replaced = nullptr) {
  const auto vault = std::make_shared<Vault>(Vault::Key{1});
  Redactor redactor(fuzz::tokenizing(), vault);
  JsonEditor editor(redactor, {.max_depth = 64});
  std::string out;
  for (; !json.empty(); json.remove_prefix(std::min(size, json.size()))) {
    if (!editor.push(json.substr(0, size), out)) return {};
  }
  if (!editor.finish(out)) return {};
  if (replaced != nullptr) *replaced = redactor.replaced();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 20'000) return 0;
  const std::string_view json = fuzz::text_of(data + 1, size - 1);
  std::uint64_t replaced = 0;
  const auto whole = edited(json, json.size() + 1, &replaced);
  fuzz::require(edited(json, 1u + data[0] % 9) == whole);
  if (!whole) return 0;
  if (replaced == 0) fuzz::require(*whole == json);
  // Our reader also refuses duplicate keys and what is not UTF-8, before and after.
  if (agentsh::JsonDocument::parse(json)) fuzz::require(bool(agentsh::JsonDocument::parse(*whole)));
  return 0;
}
