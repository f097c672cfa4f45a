#include "dlp/redactor.h"

#include "dlp/scanner.h"

#include <fmt/format.h>

namespace agentsh::dlp {
namespace {

PlaceholderRule rule_of(Placeholders placeholders, const Profile& profile, const Vault* vault) {
  if (vault == nullptr) return PlaceholderRule::kIgnore;
  if (placeholders != Placeholders::kTokenize) return PlaceholderRule::kIssued;
  return profile.tokenizes() ? PlaceholderRule::kReport : PlaceholderRule::kIgnore;
}

}  // namespace

Redactor::Redactor(std::shared_ptr<const Profile> profile, std::shared_ptr<Vault> vault,
                   Placeholders placeholders)
    : profile_(std::move(profile)),
      vault_(std::move(vault)),
      placeholders_(placeholders),
      stream_(profile_, rule_of(placeholders, *profile_, vault_.get()), vault_) {}

void Redactor::begin(const TextOrigin& origin) {
  field_ = origin.field;
  stream_.begin(origin.left_context);
}

void Redactor::push(std::string_view text, std::vector<Edit>& edits) {
  if (blocked_) return;
  stream_.push(text, [&](const ScanStream::Found& found) { act_on(found, edits); });
}

void Redactor::finish(std::string_view last, std::vector<Edit>& edits) {
  if (blocked_) return;
  stream_.finish(last, [&](const ScanStream::Found& found) { act_on(found, edits); });
}

const Detector& Redactor::blocked_by() const {
  return profile_->scanner()->detectors()[blocked_by_];
}

void Redactor::act_on(const ScanStream::Found& found, std::vector<Edit>& edits) {
  if (blocked_) return;
  if (found.is_placeholder()) return act_on_placeholder(found, edits);
  findings_.add(found.hit, field_ == nullptr ? std::string() : field_->text(),
                vault_ == nullptr ? 0 : vault_->digest(found.value));
  const Mode mode = profile_->mode_of(found.hit.detector);
  switch (mode) {
    case Mode::kDisabled:
    case Mode::kAudit:
      return;
    case Mode::kBlock:
      blocked_ = true;
      blocked_at_ = found.hit.begin;
      blocked_by_ = found.hit.detector;
      return;
    case Mode::kRedact:
    case Mode::kTokenize:
      replace(found.hit, replacement(found, mode), edits);
  }
}

void Redactor::act_on_placeholder(const ScanStream::Found& found, std::vector<Edit>& edits) {
  if (placeholders_ == Placeholders::kKeep) return;
  if (placeholders_ == Placeholders::kRestore) {
    if (auto value = vault_->value_of(found.value)) replace(found.hit, std::move(*value), edits);
    return;
  }
  // Unlike a secret it may stay where the vault is full: nothing leaks, it is only restored as what
  // it happens to name.
  if (auto placeholder = vault_->placeholder_for(found.value, "TEXT")) {
    replace(found.hit, std::move(*placeholder), edits);
  }
}

std::string Redactor::replacement(const ScanStream::Found& found, Mode mode) {
  const Detector& detector = profile_->scanner()->detectors()[found.hit.detector];
  if (mode == Mode::kTokenize && vault_ != nullptr) {
    if (auto placeholder = vault_->placeholder_for(found.value, detector.tag())) {
      return std::move(*placeholder);
    }
  }
  return fmt::format("[REDACTED:{}]", detector.id);
}

void Redactor::replace(const Hit& hit, std::string text, std::vector<Edit>& edits) {
  ++replaced_;
  edits.push_back({hit.begin, hit.end, std::move(text)});
}

}  // namespace agentsh::dlp
