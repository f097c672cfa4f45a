#include "proxy/dns/service_binding.h"

#include <algorithm>

namespace agentsh::dns {
namespace {

bool is_known(SvcKey key) {
  return key <= SvcKey::kIpv6Hint;
}

// The keys that a client must understand; nothing when the list is malformed.
std::optional<std::vector<SvcKey>> mandatory_keys(std::string_view value) {
  if (value.empty() || value.size() % 2 != 0) return {};
  std::vector<SvcKey> keys;
  for (std::size_t i = 0; i < value.size(); i += 2) {
    keys.push_back(static_cast<SvcKey>(static_cast<std::uint8_t>(value[i]) << 8 |
                                       static_cast<std::uint8_t>(value[i + 1])));
  }
  return keys;
}

// The length-prefixed protocol ids of `value` that are among `allowed`; empty when malformed.
std::string reduce_alpn(std::string_view value, std::span<const std::string> allowed) {
  std::string kept;
  while (!value.empty()) {
    const std::size_t length = static_cast<std::uint8_t>(value.front());
    if (length == 0 || length + 1 > value.size()) return {};
    const std::string_view id = value.substr(1, length);
    if (std::find(allowed.begin(), allowed.end(), id) != allowed.end()) {
      kept += value.substr(0, length + 1);
    }
    value.remove_prefix(length + 1);
  }
  return kept;
}

bool may_be_mandatory(SvcKey key) {
  return is_known(key) && key != SvcKey::kEch;
}

std::string encode_keys(const std::vector<SvcKey>& keys, const SvcbData& present) {
  std::string value;
  for (SvcKey key : keys) {
    const auto has = [key](const SvcParameter& p) { return p.key == key; };
    if (std::none_of(present.parameters.begin(), present.parameters.end(), has)) continue;
    value += static_cast<char>(static_cast<unsigned>(key) >> 8);
    value += static_cast<char>(key);
  }
  return value;
}

}  // namespace

std::optional<SvcbData> restrict_service_binding(const SvcbData& data, const Name& owner,
                                                 std::span<const std::string> alpn) {
  // The alias form, or another host's service: the client asks for A and AAAA of its own name.
  if (data.priority == 0 || !(data.target.is_root() || data.target == owner)) return {};
  SvcbData kept{data.priority, data.target, {}};
  std::vector<SvcKey> mandatory;
  for (const SvcParameter& parameter : data.parameters) {
    if (parameter.key == SvcKey::kMandatory) {
      auto keys = mandatory_keys(parameter.value);
      if (!keys || !std::all_of(keys->begin(), keys->end(), may_be_mandatory)) return {};
      mandatory = std::move(*keys);
    } else if (parameter.key == SvcKey::kAlpn) {
      // Without any id left, what remains is the scheme's own default, HTTP/1.1, which the proxy
      // speaks whether the server does or not: so no-default-alpn goes in any case.
      std::string ids = reduce_alpn(parameter.value, alpn);
      if (!ids.empty()) kept.parameters.push_back({SvcKey::kAlpn, std::move(ids)});
    } else if (parameter.key == SvcKey::kPort) {
      if (parameter.value.size() != 2) return {};
      kept.parameters.push_back(parameter);
    }
  }
  std::string keys = encode_keys(mandatory, kept);
  if (!keys.empty()) {
    kept.parameters.insert(kept.parameters.begin(), {SvcKey::kMandatory, std::move(keys)});
  }
  return kept;
}

}  // namespace agentsh::dns
