// Any text in any chunks: the same output as in one piece, and the text again when it is restored.
#include "dlp/restorer.h"
#include "dlp/text_stream.h"
#include "tests/fuzz/dlp/fuzz_detectors.h"

using namespace agentsh::dlp;

namespace {

std::string in_chunks(TextEditor& editor, std::string_view text, unsigned seed) {
  TextStream stream(editor);
  std::string out;
  while (!text.empty()) {
    seed = seed * 1664525 + 1013904223;
    const std::size_t size = std::min<std::size_t>(text.size(), 1 + (seed >> 16) % 23);
    stream.push(text.substr(0, size), out);
    text.remove_prefix(size);
  }
  stream.finish(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 20'000) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  const auto vault = std::make_shared<Vault>(Vault::Key{1});
  Redactor redactor(fuzz::tokenizing(), vault);
  const std::string sent = edit_text(redactor, text);
  fuzz::require(in_chunks(redactor, text, data[0]) == sent);
  Restorer restorer(vault);
  fuzz::require(edit_text(restorer, sent) == text);
  fuzz::require(in_chunks(restorer, sent, data[0]) == text);
  return 0;
}
