// The statements of a psql script: split at semicolons as psql does, its own commands, the data of
// COPY and the rests of conditionals left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

std::vector<std::string> statements_of_script(std::string_view script);

// `:name`, `:'name'` and `:"name"` outside of strings replaced by the name, as a stand-in for its
// value.
std::string without_variables(std::string_view statement);

}  // namespace agentsh::sql
