// Options that `db classify` and `policy db explain` share. Only for .cc files.
#pragma once

#include "base/result.h"
#include "policies/model.h"
#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/name_resolution.h"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace agentsh::cli {

struct SqlOptions {
  std::string dialect = "postgres";
  std::string search_path;  // a,b
  std::string temporary;    // a,b

  void add_to(CLI::App& app);
  sql::NameContext names() const;
};

// The policy of that name or path.
Result<policy::Policy> policy_named(const std::string& name,
                                    const std::vector<std::string>& directories);

// A whole text of SQL: `text`, or standard input for "-" and for nothing.
Result<std::string> sql_text(const std::string& text);

}  // namespace agentsh::cli
