// Variables in policies: ${NAME} and ${NAME:-fallback}. The value is the session's, else that of an
// environment variable, else the fallback (which may hold variables itself); with none the policy
// cannot be used, and the error names the variable. An empty value counts as none: "${ROOT}/**"
// must not become the whole file system.
//
// Threads: values; any thread.
#pragma once

#include "base/result.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace agentsh::policy {

class Variables {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  Variables() = default;
  // `session`: PROJECT_ROOT, GIT_ROOT, HOME and what the session sets; they win. `environment`: of
  // the process that the session is for.
  explicit Variables(Map session, Map environment = {})
      : session_(std::move(session)), environment_(std::move(environment)) {}

  std::optional<std::string_view> find(std::string_view name) const;

 private:
  Map session_;
  Map environment_;
};

// `text` with its variables replaced; values (not fallbacks, which the author wrote) go through
// `quote`. Fails with `variable "X" is not set` or with what is wrong with the syntax.
Result<std::string> expand_variables(std::string_view text, const Variables& variables,
                                     std::string (*quote)(std::string_view) = nullptr);

// `text` with every variable replaced by `stand_in`: to check a pattern before values are known.
Result<std::string> replace_variables(std::string_view text, std::string_view stand_in);

// Adds the names that `text` refers to, in fallbacks too. Text with wrong syntax adds nothing.
void collect_variables(std::string_view text, std::set<std::string>& names);

}  // namespace agentsh::policy
