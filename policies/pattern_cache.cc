#include "policies/pattern_cache.h"

#include <algorithm>

namespace agentsh::policy {
namespace {

std::size_t hash_of(std::span<const std::uint32_t> rules) {
  std::uint64_t hash = 0x9e3779b97f4a7c15;
  for (std::uint32_t rule : rules) hash = (hash ^ rule) * 0xff51afd7ed558ccd ^ hash >> 29;
  return hash;
}

}  // namespace

PatternCache::PatternCache(std::vector<std::span<const Pattern>> patterns_of_rules)
    : patterns_(std::move(patterns_of_rules)) {}

PatternCache::~PatternCache() = default;

bool PatternCache::found_in(std::uint32_t rule, std::string_view text) const {
  return std::ranges::any_of(patterns_[rule],
                             [&](const Pattern& pattern) { return pattern.found_in(text); });
}

const PatternCache::Entry* PatternCache::find(std::span<const std::uint32_t> rules) const {
  const Entry* entry = buckets_[hash_of(rules) % kBuckets].load(std::memory_order_acquire);
  while (entry != nullptr && !std::ranges::equal(entry->rules, rules)) entry = entry->next;
  return entry;
}

const PatternCache::Entry* PatternCache::make(std::span<const std::uint32_t> rules) const {
  std::unique_lock lock(growing_, std::try_to_lock);
  if (!lock || entries_.size() >= kMaximumEntries) return nullptr;
  if (const Entry* made = find(rules)) return made;
  std::vector<Pattern> patterns;
  std::vector<std::uint32_t> rule_of_pattern;
  for (std::uint32_t rule : rules) {
    for (const Pattern& pattern : patterns_[rule]) {
      patterns.push_back(pattern);
      rule_of_pattern.push_back(rule);
    }
  }
  auto& bucket = buckets_[hash_of(rules) % kBuckets];
  auto entry = std::make_unique<const Entry>(
      Entry{std::vector<std::uint32_t>(rules.begin(), rules.end()), PatternSet(std::move(patterns)),
            std::move(rule_of_pattern), bucket.load(std::memory_order_relaxed)});
  const Entry* made = entry.get();
  entries_.push_back(std::move(entry));
  bucket.store(made, std::memory_order_release);
  return made;
}

std::optional<std::uint32_t> PatternCache::first_found(std::span<const std::uint32_t> rules,
                                                       std::string_view text,
                                                       std::string_view other_text) const {
  const Entry* entry = nullptr;
  if (rules.size() > kFewRules) {
    entry = find(rules);
    if (entry == nullptr) entry = make(rules);
  }
  if (entry == nullptr) {
    for (std::uint32_t rule : rules) {
      if (found_in(rule, text) || (!other_text.empty() && found_in(rule, other_text))) return rule;
    }
    return {};
  }
  auto first = entry->set.first_found_in(text);
  if (!other_text.empty()) {
    auto other = entry->set.first_found_in(other_text);
    if (other && (!first || *other < *first)) first = other;
  }
  if (!first) return {};
  return entry->rule_of_pattern[*first];
}

}  // namespace agentsh::policy
