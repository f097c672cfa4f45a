// Vectorscan alone with the same patterns: the ceiling.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp::bench {

class RawVectorscan {
 public:
  explicit RawVectorscan(const std::vector<std::string>& patterns);
  ~RawVectorscan();
  // The number of match ends.
  std::uint64_t scan(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::dlp::bench
