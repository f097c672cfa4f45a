// Errors as values.
//
// Result<T> is what every fallible function returns; Error carries a std::error_code for programs
// and a sentence for people. Exceptions are left for what ends an operation as a whole (out of
// memory, a broken invariant).
//
//   Result<UniqueFd> fd = open_directory(path);
//   if (!fd) return std::unexpected(fd.error());
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace agentsh {

struct Error {
  std::error_code code;
  std::string what;  // A sentence without a trailing full stop: "open /etc/agentsh/config.yaml: No
                     // such file".
};

template <class T = void>
using Result = std::expected<T, Error>;

// An Error from errno as it is now: "<call> <subject>: <strerror>". Call it before anything else
// can change errno.
Error errno_error(std::string_view call, std::string_view subject = {});

// The same for an errno value that was kept.
Error errno_error(int errno_value, std::string_view call, std::string_view subject = {});

// An Error with a message of our own. `code` is std::errc::invalid_argument unless said.
Error make_error(std::string what, std::errc code = std::errc::invalid_argument);

// std::unexpected(make_error(...)), for return statements.
inline std::unexpected<Error> fail(std::string what, std::errc code = std::errc::invalid_argument) {
  return std::unexpected(make_error(std::move(what), code));
}

// The error with `context` before its sentence: "<context>: <what>".
Error with_context(Error error, std::string_view context);

}  // namespace agentsh
