#include "dlp/scanner.h"

#include "dlp/profile.h"
#include "dlp/scan_engine.h"
#include "dlp/scan_stream.h"

#include <fmt/format.h>

namespace agentsh::dlp {

Scanner::Scanner(std::unique_ptr<ScanEngine> engine) : engine_(std::move(engine)) {}
Scanner::~Scanner() = default;

Result<std::shared_ptr<const Scanner>> Scanner::build(std::vector<Detector> detectors,
                                                      std::string cache_directory) {
  const DatabaseCache cache(std::move(cache_directory));
  auto engine = ScanEngine::build(std::move(detectors), cache);
  if (!engine) return std::unexpected(engine.error());
  return std::shared_ptr<const Scanner>(new Scanner(std::move(*engine)));
}

Result<std::shared_ptr<const Scanner>> Scanner::with_secrets(
    std::span<const HeldSecret> secrets) const {
  std::vector<std::pair<Detector, std::string>> held;
  for (const HeldSecret& secret : secrets) {
    if (secret.value.size() < HeldSecret::kMinimum) {
      return fail(fmt::format("secret {} is shorter than {} bytes: it would be found by chance",
                              secret.name, HeldSecret::kMinimum));
    }
    if (secret.value.size() > HeldSecret::kMaximum) {
      return fail(
          fmt::format("secret {} is longer than {} bytes", secret.name, HeldSecret::kMaximum));
    }
    held.emplace_back(Detector{.id = "held_" + secret.name,
                               .severity = Severity::kCritical,
                               .title = "Secret " + secret.name,
                               .confidence = 1},
                      secret.value);
  }
  auto engine = engine_->with_held(held);
  if (!engine) return std::unexpected(engine.error());
  return std::shared_ptr<const Scanner>(new Scanner(std::move(*engine)));
}

std::span<const Detector> Scanner::detectors() const {
  return engine_->detectors();
}

std::optional<std::uint32_t> Scanner::find(std::string_view id) const {
  return engine_->find(id);
}

std::vector<Hit> Scanner::scan(std::string_view text, const Profile& profile) const {
  // Not owned: the stream lives no longer than this call.
  ScanStream stream(std::shared_ptr<const Profile>(std::shared_ptr<void>(), &profile));
  std::vector<Hit> hits;
  stream.begin({});
  stream.finish(text, [&](const ScanStream::Found& found) { hits.push_back(found.hit); });
  return hits;
}

}  // namespace agentsh::dlp
