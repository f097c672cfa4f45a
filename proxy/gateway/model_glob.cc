#include "proxy/gateway/model_glob.h"

#include <algorithm>

namespace agentsh::gateway {

// The shortest text for each star but the last is always right: what follows can only be longer.
bool matches_model(std::string_view glob, std::string_view model) {
  std::size_t g = 0;
  std::size_t m = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (m < model.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      resume = m;
    } else if (g < glob.size() && glob[g] == model[m]) {
      ++g;
      ++m;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      m = ++resume;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

bool allows_model(const std::vector<std::string>& globs, std::string_view model) {
  return globs.empty() || std::ranges::any_of(globs, [model](const std::string& glob) {
           return matches_model(glob, model);
         });
}

}  // namespace agentsh::gateway
