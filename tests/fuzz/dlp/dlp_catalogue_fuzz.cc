// Any text as a catalogue: detectors or an error; patterns of any shape are taken apart or not.
#include "dlp/catalogue.h"
#include "dlp/evidence.h"
#include "dlp/pattern_shape.h"
#include "tests/fuzz/dlp/fuzz_detectors.h"

using namespace agentsh::dlp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 10'000) return 0;
  const std::string_view text = fuzz::text_of(data, size);
  const auto loaded = load_catalogue(text, "fuzz.yaml");
  if (!loaded) fuzz::require(!loaded.error().what.empty());
  const std::string_view pattern = text.substr(0, text.find('\n')).substr(0, 200);
  if (const auto shape = shape_of(pattern)) evidence_of(*shape);
  return 0;
}
