#include "appliance/gateway/provider_keys.h"

#include "base/log.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

// What may stand in a header field.
bool is_key(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

ProviderKeys::ProviderKeys(std::shared_ptr<services::SecretSource> source,
                           std::vector<std::string> references)
    : source_(std::move(source)), references_(std::move(references)) {
  auto keys = keys_.lock();
  for (const std::string& reference : references_) {
    keys->push_back(reference.empty() ? Result<std::string>(std::string())
                                      : fail(reference + ": was not fetched yet"));
  }
}

void ProviderKeys::refresh() {
  for (std::size_t i = 0; i < references_.size(); ++i) {
    if (references_[i].empty()) continue;
    source_->get(references_[i], {},
                 [self = shared_from_this(), i](Result<std::shared_ptr<const SecretText>> fetched) {
                   self->take(i, std::move(fetched));
                 });
  }
}

void ProviderKeys::take(std::size_t upstream, Result<std::shared_ptr<const SecretText>> fetched) {
  Result<std::string> key;
  if (!fetched) {
    key = std::unexpected(fetched.error());
  } else if (!is_key((*fetched)->view())) {
    key = fail(fmt::format("{}: there is no usable key", references_[upstream]));
  } else {
    key = std::string((*fetched)->view());
  }
  auto keys = keys_.lock();
  Result<std::string>& kept = (*keys)[upstream];
  if (!key) log_error("gateway", "{}", key.error().what);
  if (key || !kept) kept = std::move(key);
}

Result<std::string> ProviderKeys::get(std::size_t upstream) const {
  return (*keys_.lock())[upstream];
}

}  // namespace agentsh
