#include "proxy/services/scrubber.h"

#include "dlp/held_secret.h"
#include "dlp/scanner.h"

#include <array>

namespace agentsh::services {
namespace {

constexpr std::string_view kName = "service";

// Compiled once: the detectors that all plans share are none.
const Result<std::shared_ptr<const dlp::Scanner>>& empty_scanner() {
  static const auto scanner = dlp::Scanner::build({});
  return scanner;
}

}  // namespace

Result<std::shared_ptr<const ScrubPlan>> ScrubPlan::make(std::string_view secret,
                                                         std::string placeholder) {
  const auto& shared = empty_scanner();
  if (!shared) return std::unexpected(shared.error());
  std::array<dlp::HeldSecret, 1> held = {{{std::string(kName), std::string(secret)}}};
  auto scanner = (*shared)->with_secrets(held);
  if (!scanner) return std::unexpected(scanner.error());
  auto profile = dlp::Profile::make(*scanner, {.mode = dlp::Mode::kRedact, .detectors = {}});
  if (!profile) return std::unexpected(profile.error());
  std::shared_ptr<ScrubPlan> plan(new ScrubPlan);
  plan->profile_ = std::move(*profile);
  plan->placeholder_ = std::move(placeholder);
  return plan;
}

Scrubber::Editor::Editor(std::shared_ptr<const ScrubPlan> plan)
    : plan_(std::move(plan)), redactor_(plan_->profile(), nullptr) {}

void Scrubber::Editor::keep_lengths(std::vector<dlp::Edit>& edits, std::size_t first) {
  const std::string& placeholder = plan_->placeholder();
  for (std::size_t i = first; i < edits.size(); ++i) {
    const auto length = static_cast<std::size_t>(edits[i].end - edits[i].begin);
    // Every encoding is longer than what it encodes.
    edits[i].replacement = length == placeholder.size() ? placeholder : std::string(length, '*');
    ++found_;
  }
}

void Scrubber::Editor::push(std::string_view text, std::vector<dlp::Edit>& edits) {
  const std::size_t first = edits.size();
  redactor_.push(text, edits);
  keep_lengths(edits, first);
}

void Scrubber::Editor::finish(std::string_view last, std::vector<dlp::Edit>& edits) {
  const std::size_t first = edits.size();
  redactor_.finish(last, edits);
  keep_lengths(edits, first);
}

Scrubber::Scrubber(std::shared_ptr<const ScrubPlan> plan)
    : plan_(std::move(plan)), editor_(plan_) {}

std::string Scrubber::scrub(std::string_view text) {
  return dlp::edit_text(editor_, text);
}

void Scrubber::push(std::string_view content, bool last, std::string& out) {
  if (stream_ == nullptr) stream_ = std::make_unique<dlp::TextStream>(editor_);
  stream_->push(content, out);
  if (last) stream_->finish(out);
}

}  // namespace agentsh::services
