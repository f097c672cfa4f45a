// Takes a secret out of what a server sends: the value itself becomes the placeholder, any encoding
// of it (dlp/held_secret.h) as many asterisks. The length never changes.
#pragma once

#include "base/result.h"
#include "dlp/profile.h"
#include "dlp/redactor.h"
#include "dlp/text_stream.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::services {

// What is looked for. Immutable; any thread.
class ScrubPlan {
 public:
  // Takes a few milliseconds. Errors: a secret that is too short or too long to be looked for.
  static Result<std::shared_ptr<const ScrubPlan>> make(std::string_view secret,
                                                       std::string placeholder);
  const std::shared_ptr<const dlp::Profile>& profile() const { return profile_; }
  const std::string& placeholder() const { return placeholder_; }

 private:
  ScrubPlan() = default;
  std::shared_ptr<const dlp::Profile> profile_;
  std::string placeholder_;
};

// For one response. Threads: one owner.
class Scrubber {
 public:
  explicit Scrubber(std::shared_ptr<const ScrubPlan> plan);

  // A whole text, apart from the stream.
  std::string scrub(std::string_view text);
  // The stream of a body.
  void push(std::string_view content, bool last, std::string& out);
  // Occurrences that were taken out.
  std::size_t found() const { return editor_.found(); }

 private:
  class Editor final : public dlp::TextEditor {
   public:
    explicit Editor(std::shared_ptr<const ScrubPlan> plan);
    void begin(const dlp::TextOrigin& origin) override { redactor_.begin(origin); }
    void push(std::string_view text, std::vector<dlp::Edit>& edits) override;
    void finish(std::string_view last, std::vector<dlp::Edit>& edits) override;
    std::uint64_t settled() const override { return redactor_.settled(); }
    std::size_t found() const { return found_; }

   private:
    void keep_lengths(std::vector<dlp::Edit>& edits, std::size_t first);
    std::shared_ptr<const ScrubPlan> plan_;
    dlp::Redactor redactor_;
    std::size_t found_ = 0;
  };

  std::shared_ptr<const ScrubPlan> plan_;
  Editor editor_;
  std::unique_ptr<dlp::TextStream> stream_;  // Once a body has begun.
};

}  // namespace agentsh::services
