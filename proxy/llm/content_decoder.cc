#include "proxy/llm/content_decoder.h"

#include <fmt/format.h>

namespace agentsh::llm {

std::optional<ContentDecoder> ContentDecoder::make(std::string_view content_encoding,
                                                   std::uint64_t max_bytes, int status) {
  const auto coding = dlp::parse_coding(content_encoding);
  if (!coding) return {};
  ContentDecoder decoder;
  decoder.status_ = status;
  if (*coding != dlp::Coding::kIdentity) {
    decoder.inflater_ = dlp::Inflater::make(*coding, {.max_output = max_bytes});
  }
  return decoder;
}

std::optional<Refusal> ContentDecoder::decode(std::string_view& chunk, bool last) {
  if (identity()) return {};
  text_.clear();
  empty_ = empty_ && chunk.empty();
  Result<void> done = inflater_->push(chunk, text_);
  if (done && last && !empty_) done = inflater_->finish();
  chunk = text_;
  if (done) return {};
  return Refusal{
      .status = status_,
      .code = "invalid_encoding",
      .message = fmt::format("The compressed body cannot be read: {}.", done.error().what)};
}

}  // namespace agentsh::llm
