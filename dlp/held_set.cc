#include "dlp/held_set.h"

#include "dlp/pattern_shape.h"

#include <hs.h>

#include <algorithm>
#include <new>
#include <stdexcept>

namespace agentsh::dlp {
namespace {

constexpr std::uint32_t kEscapes = 2;
// Line breaks, maybe escaped, that may stand before a piece which is not the first.
constexpr std::size_t kSlack = 8;

}  // namespace

struct HeldSet::Workspace {
  hs_scratch_t* scratch = nullptr;
  OpenMatches::Scratch open_matches;
  std::vector<std::pair<std::uint32_t, std::size_t>> ends;  // Of literals.

  ~Workspace() { hs_free_scratch(scratch); }
};

HeldSet::~HeldSet() {
  hs_free_database(database_);
}

Result<std::unique_ptr<HeldSet>> HeldSet::make(std::vector<HeldForm> forms) {
  std::unique_ptr<HeldSet> set(new HeldSet);
  set->literals_.push_back({.text = "\\"});
  set->literals_.push_back({.text = "%"});
  for (std::uint32_t i = 0; i < forms.size(); ++i) {
    for (HeldForm::Piece& piece : forms[i].pieces()) {
      set->literals_.push_back({std::move(piece.text), i, piece.before, piece.any_case});
    }
    auto shape = shape_of(forms[i].beginning());
    if (!shape) return fail("a secret's encoding has no shape");
    go_on(*shape);
    set->open_matches_.add(*shape, forms[i].max_length());
  }
  set->open_matches_.seal();
  set->forms_ = std::move(forms);
  if (auto compiled = set->compile(); !compiled) return std::unexpected(compiled.error());
  return set;
}

Result<void> HeldSet::compile() {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  for (const Literal& literal : literals_) {
    ids.push_back(static_cast<unsigned>(texts.size()));
    texts.push_back(literal.text.data());
    sizes.push_back(literal.text.size());
    flags.push_back(literal.any_case ? HS_FLAG_CASELESS : 0u);
  }
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), sizes.data(),
                           static_cast<unsigned>(texts.size()), HS_MODE_BLOCK, nullptr, &database_,
                           &error) == HS_SUCCESS) {
    return {};
  }
  const std::string what = error->message;
  hs_free_compile_error(error);
  return fail("held secrets: " + what);
}

WorkspacePool<HeldSet::Workspace>::Lease HeldSet::lease() const {
  return workspaces_.lease([this] {
    auto workspace = std::make_unique<Workspace>();
    if (hs_alloc_scratch(database_, &workspace->scratch) != HS_SUCCESS) throw std::bad_alloc();
    return workspace;
  });
}

void HeldSet::find(std::string_view text, std::size_t floor, std::vector<Found>& found) const {
  found.clear();
  if (floor >= text.size()) return;
  const auto workspace = lease();
  workspace->ends.clear();
  const auto outcome = hs_scan(
      database_, text.data() + floor, static_cast<unsigned>(text.size() - floor), 0,
      workspace->scratch,
      [](unsigned literal, unsigned long long, unsigned long long end, unsigned, void* context) {
        static_cast<Workspace*>(context)->ends.emplace_back(literal, end);
        return 0;
      },
      &*workspace);
  if (outcome != HS_SUCCESS) throw std::runtime_error("the scan failed");
  for (const auto& [literal, end] : workspace->ends) {
    add_candidates(literal, floor + end, text, floor, found);
  }
  if (found.empty()) return;
  std::ranges::sort(found);
  std::size_t kept = 0;
  for (const Found& candidate : found) {
    const bool overlaps =
        kept > 0 && found[kept - 1].form == candidate.form && candidate.begin < found[kept - 1].end;
    if (overlaps) continue;
    const std::size_t end = forms_[candidate.form].end_of(text, candidate.begin);
    if (end > candidate.begin) found[kept++] = {candidate.form, candidate.begin, end};
  }
  found.resize(kept);
}

// Where an occurrence could begin that holds the literal which ends at `end`.
void HeldSet::add_candidates(std::uint32_t index, std::size_t end, std::string_view text,
                             std::size_t floor, std::vector<Found>& candidates) const {
  const Literal& literal = literals_[index];
  if (index >= kEscapes) {
    const std::size_t at = end - literal.text.size();
    const std::size_t slack = literal.before == 0 ? 0 : kSlack;
    for (std::size_t back = literal.before; back <= literal.before + slack; ++back) {
      if (at >= floor + back) candidates.push_back({literal.form, at - back, 0});
    }
    return;
  }
  const std::size_t at = end - 1;
  for (std::size_t back = 0; back < HeldForm::kBeginning && at >= floor + back; ++back) {
    for (std::uint32_t form = 0; form < forms_.size(); ++form) {
      if (forms_[form].may_begin(text, at - back, at)) candidates.push_back({form, at - back, 0});
    }
  }
}

void HeldSet::advance(OpenMatches::Threads& threads, std::string_view text, std::size_t from,
                      std::uint64_t origin) const {
  open_matches_.advance(threads, text, from, origin, lease()->open_matches);
}

std::size_t HeldSet::database_bytes() const {
  std::size_t bytes = 0;
  hs_database_size(database_, &bytes);
  return bytes;
}

}  // namespace agentsh::dlp
