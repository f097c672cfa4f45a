// `options` of a StartupMessage: a command line, read as PostgreSQL reads it (pg_split_opts() and
// process_postgres_switches(), version 15). And lists of identifiers, as in search_path.
//
// Threads: pure.
#pragma once

#include "sqlguard/login/login_failure.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::sql {

// Divided at blanks; a backslash takes the meaning of the character behind it.
std::vector<std::string> split_options(std::string_view options);

// name=value of `-c name=value`, `-cname=value` and `--name=value`, in order; a hyphen in a name
// counts as an underscore. Fails on anything else: the server's other switches have settings of
// their own.
LoginResult<std::vector<std::pair<std::string, std::string>>> settings_in_options(
    std::string_view options);

// "a, "B c"" as the identifiers that it lists, folded where they are not quoted; nothing if it is
// no list.
std::optional<std::vector<std::string>> identifier_list(std::string_view text);

}  // namespace agentsh::sql
