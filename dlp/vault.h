// The placeholders of one session and the values they stand for.
//
// A placeholder is TOK_<TAG>_<ten characters>, e.g. TOK_EMAIL_7KQ2M9XDBH: upper case letters and
// digits without those that look alike, so that it survives JSON, URLs, shells and models; the tag
// says what it stands for. The ten characters are a keyed hash (SipHash-2-4, 50 bits) of the value:
// the same value has the same placeholder for as long as the key lives, whatever came first, and
// without the key nothing can be told from it. Two values that meet in one placeholder get
// different ones, and a placeholder is looked up, never computed backwards.
//
// Values are kept in memory only, unless save() is called. Limits: kMaxValues and kMaxBytes; a full
// vault issues nothing new (the redactor then redacts).
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "base/result.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace agentsh::dlp {

class Vault {
 public:
  using Key = std::array<std::uint8_t, 16>;
  static constexpr std::size_t kMaxValues = 200'000;
  static constexpr std::size_t kMaxBytes = 64 << 20;
  static constexpr std::size_t kMaxTag = 12;
  static constexpr std::size_t kDigits = 10;
  static constexpr std::size_t kMaxPlaceholder = 4 + kMaxTag + 1 + kDigits;

  Vault();  // With a random key.
  explicit Vault(const Key& key);

  // The placeholder of `value`, new or as it was. Nothing when the vault is full. Precondition: the
  // tag is 1 to kMaxTag letters A to Z.
  std::optional<std::string> placeholder_for(std::string_view value, std::string_view tag);
  // What a placeholder stands for, letter case ignored; nothing when it was not issued here.
  std::optional<std::string> value_of(std::string_view placeholder) const;
  // Whether some issued placeholder begins with `prefix`, letter case ignored.
  bool issued_with_prefix(std::string_view prefix) const;
  bool empty() const { return size_.load(std::memory_order_acquire) == 0; }
  std::size_t size() const { return size_.load(std::memory_order_acquire); }

  // A keyed hash of a value, to recognise it again in audit events. Never 0.
  std::uint64_t digest(std::string_view value) const;

  // The vault as one JSON document, values included, and back.
  std::string to_json() const;
  static Result<std::shared_ptr<Vault>> from_json(std::string_view text);

 private:
  struct Entries {
    std::unordered_map<std::string, std::string> placeholders;  // By value.
    std::map<std::string, std::string, std::less<>> values;     // By placeholder.
    std::size_t bytes = 0;
  };
  Key key_;
  mutable LockGuarded<Entries> entries_;
  std::atomic<std::size_t> size_ = 0;
};

// The length of the placeholder's form that `text` begins with, letter case ignored; 0 when it
// begins with none. Whether it was issued is another matter.
std::size_t placeholder_length(std::string_view text);
// Whether `text` could be the beginning of a placeholder, or is one.
bool may_begin_placeholder(std::string_view text);

}  // namespace agentsh::dlp
