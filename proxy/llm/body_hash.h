// SHA-256 of a body as it streams.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace agentsh::llm {

class BodyHash {
 public:
  BodyHash();
  ~BodyHash();
  BodyHash(BodyHash&&) noexcept;
  BodyHash& operator=(BodyHash&&) noexcept;

  void add(std::string_view bytes);
  // In hexadecimal. Once.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::llm
