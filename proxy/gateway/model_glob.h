// Names of models as keys, routes and limits give them: exact, or with "*" for any part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

// "*" matches any bytes, also none. Linear in the text for each star.
bool matches_model(std::string_view glob, std::string_view model);

// Does one of the globs match? True when there are none.
bool allows_model(const std::vector<std::string>& globs, std::string_view model);

}  // namespace agentsh::gateway
