#include "dlp/overlaps.h"

#include <algorithm>
#include <tuple>

namespace agentsh::dlp {
namespace {

bool overlap(const Hit& a, const Hit& b) {
  return a.begin < b.end && b.begin < a.end;
}

Mode mode_of(const Hit& hit, const Profile& profile) {
  return hit.detector == kPlaceholderDetector ? Mode::kTokenize : profile.mode_of(hit.detector);
}

// Whether `a` names a joined hit rather than `b`. A placeholder names one only when nothing else
// is in it.
bool is_better(const Hit& a, const Hit& b, const Profile& profile) {
  const auto rank = [&](const Hit& hit) {
    return std::tuple(mode_of(hit, profile) == Mode::kBlock, hit.detector != kPlaceholderDetector,
                      hit.confidence, hit.end - hit.begin);
  };
  const auto order = [](const Hit& hit) { return std::tuple(hit.begin, hit.detector); };
  return rank(a) != rank(b) ? rank(a) > rank(b) : order(a) < order(b);
}

// Joins overlapping neighbours. `hits` is sorted by begin.
void join(std::vector<Hit>& hits, const Profile& profile) {
  std::size_t kept = 0;
  Hit best;  // Of those that are joined in hits[kept - 1].
  for (const Hit& hit : hits) {
    if (kept > 0 && hit.begin < hits[kept - 1].end) {
      if (is_better(hit, best, profile)) best = hit;
      Hit& joined = hits[kept - 1];
      joined.end = std::max(joined.end, hit.end);
      joined.detector = best.detector;
      joined.confidence = best.confidence;
      continue;
    }
    best = hit;
    hits[kept++] = hit;
  }
  hits.resize(kept);
}

bool by_place(const Hit& a, const Hit& b) {
  return std::tuple(a.begin, a.end, a.detector) < std::tuple(b.begin, b.end, b.detector);
}

// Takes out of `hits` those that overlap one of `others`.
void remove_overlapping(std::vector<Hit>& hits, const std::vector<Hit>& others) {
  std::erase_if(hits, [&](const Hit& hit) {
    return std::ranges::any_of(others, [&](const Hit& other) { return overlap(hit, other); });
  });
}

}  // namespace

void resolve_overlaps(std::vector<Hit>& hits, const Profile& profile,
                      PlaceholderRule placeholders) {
  if (hits.size() < 2) return;
  std::ranges::sort(hits, by_place);
  std::vector<Hit> counted;    // Of detectors that only count.
  std::vector<Hit> untouched;  // Placeholders that hide others.
  std::vector<Hit> acting;
  for (const Hit& hit : hits) {
    if (hit.detector == kPlaceholderDetector && placeholders == PlaceholderRule::kIssued) {
      untouched.push_back(hit);
    } else if (mode_of(hit, profile) == Mode::kAudit) {
      counted.push_back(hit);
    } else {
      acting.push_back(hit);
    }
  }
  remove_overlapping(acting, untouched);
  join(acting, profile);
  remove_overlapping(counted, untouched);
  remove_overlapping(counted, acting);
  join(counted, profile);
  hits = std::move(acting);
  hits.insert(hits.end(), counted.begin(), counted.end());
  hits.insert(hits.end(), untouched.begin(), untouched.end());
  std::ranges::sort(hits, by_place);
}

}  // namespace agentsh::dlp
