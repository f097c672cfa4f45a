// The secrets that we hold, looked for together. Made in a millisecond, since sessions come with
// secrets of their own: short pieces of each encoding are literals of one automaton, and where one
// stands, or a backslash or percent sign that could be an escape within, the whole is compared.
//
// Threads: immutable after make(); any.
#pragma once

#include "base/result.h"
#include "dlp/held_form.h"
#include "dlp/open_matches.h"
#include "dlp/workspace_pool.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

struct hs_database;
struct hs_scratch;

namespace agentsh::dlp {

class HeldSet {
 public:
  // Precondition: there are forms.
  static Result<std::unique_ptr<HeldSet>> make(std::vector<HeldForm> forms);
  ~HeldSet();

  struct Found {
    std::uint32_t form = 0;  // Index into what make() was given.
    std::size_t begin = 0;
    std::size_t end = 0;
    friend auto operator<=>(const Found&, const Found&) = default;
  };
  // Sets `found` to the occurrences that begin at or after `floor`, by form and place. Those of one
  // form do not overlap.
  void find(std::string_view text, std::size_t floor, std::vector<Found>& found) const;

  const OpenMatches& open_matches() const { return open_matches_; }
  void advance(OpenMatches::Threads& threads, std::string_view text, std::size_t from,
               std::uint64_t origin) const;
  std::size_t database_bytes() const;

 private:
  struct Literal {
    std::string text;
    std::uint32_t form = 0;
    std::size_t before = 0;
    bool any_case = false;
  };
  struct Workspace;
  HeldSet() = default;
  Result<void> compile();
  WorkspacePool<Workspace>::Lease lease() const;
  void add_candidates(std::uint32_t literal, std::size_t end, std::string_view text,
                      std::size_t floor, std::vector<Found>& candidates) const;

  std::vector<HeldForm> forms_;
  std::vector<Literal> literals_;  // The first two are the backslash and the percent sign.
  OpenMatches open_matches_;
  hs_database* database_ = nullptr;
  mutable WorkspacePool<Workspace> workspaces_;
};

}  // namespace agentsh::dlp
