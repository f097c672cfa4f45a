#include "tests/bench/dlp/raw_vectorscan.h"

#include <hs.h>

#include <cstdio>
#include <cstdlib>

namespace agentsh::dlp::bench {

struct RawVectorscan::State {
  hs_database_t* database = nullptr;
  hs_scratch_t* scratch = nullptr;
};

RawVectorscan::RawVectorscan(const std::vector<std::string>& patterns)
    : state_(std::make_unique<State>()) {
  std::vector<const char*> expressions;
  std::vector<unsigned> flags(patterns.size(), HS_FLAG_DOTALL);
  for (const std::string& pattern : patterns) expressions.push_back(pattern.c_str());
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(expressions.data(), flags.data(), nullptr,
                       static_cast<unsigned>(patterns.size()), HS_MODE_BLOCK, nullptr,
                       &state_->database, &error) != HS_SUCCESS ||
      hs_alloc_scratch(state_->database, &state_->scratch) != HS_SUCCESS) {
    std::fprintf(stderr, "the patterns do not compile\n");
    std::abort();
  }
}

RawVectorscan::~RawVectorscan() {
  hs_free_scratch(state_->scratch);
  hs_free_database(state_->database);
}

std::uint64_t RawVectorscan::scan(std::string_view text) const {
  std::uint64_t ends = 0;
  hs_scan(
      state_->database, text.data(), static_cast<unsigned>(text.size()), 0, state_->scratch,
      [](unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
        ++*static_cast<std::uint64_t*>(context);
        return 0;
      },
      &ends);
  return ends;
}

}  // namespace agentsh::dlp::bench
