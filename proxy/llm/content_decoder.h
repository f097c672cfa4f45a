// The content coding of a body undone (dlp/inflate.h), with a Refusal for what cannot be.
#pragma once

#include "dlp/inflate.h"
#include "proxy/llm/refusal.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::llm {

class ContentDecoder {
 public:
  // Nothing for a coding that is not known. `status` is that of its refusals.
  static std::optional<ContentDecoder> make(std::string_view content_encoding,
                                            std::uint64_t max_bytes, int status);

  bool identity() const { return inflater_ == nullptr; }
  // `chunk` is replaced by what it stands for, which is valid until the next call.
  std::optional<Refusal> decode(std::string_view& chunk, bool last);

 private:
  std::unique_ptr<dlp::Inflater> inflater_;  // Null: identity.
  std::string text_;
  int status_ = 400;
  bool empty_ = true;
};

}  // namespace agentsh::llm
