// Forms and multipart bodies in any chunks: the same output or an error; without hits nothing
// changes.
#include "dlp/body_editor.h"
#include "tests/fuzz/dlp/fuzz_detectors.h"

#include <optional>

using namespace agentsh::dlp;

namespace {

std::optional<std::string> edited(std::string_view type, std::string_view body, std::size_t size,
                                  std::uint64_t* replaced = nullptr) {
  Redactor redactor(fuzz::tokenizing(), std::make_shared<Vault>(Vault::Key{1}));
  auto editor = make_body_editor(type, redactor);
  if (!editor) return {};
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) {
    if (!(*editor)->push(body.substr(0, size), out)) return {};
  }
  if (!(*editor)->finish(out)) return {};
  if (replaced != nullptr) *replaced = redactor.replaced();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 20'000) return 0;
  constexpr std::string_view kTypes[] = {"application/x-www-form-urlencoded",
                                         "multipart/form-data; boundary=b"};
  const std::string_view type = kTypes[data[0] % 2];
  const std::string_view body = fuzz::text_of(data + 2, size - 2);
  std::uint64_t replaced = 0;
  const auto whole = edited(type, body, body.size() + 1, &replaced);
  fuzz::require(edited(type, body, 1u + data[1] % 11) == whole);
  if (whole && replaced == 0) fuzz::require(*whole == body);
  return 0;
}
