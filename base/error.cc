#include "base/result.h"

#include <cerrno>

namespace agentsh {

Error errno_error(std::string_view call, std::string_view subject) {
  return errno_error(errno, call, subject);
}

Error errno_error(int errno_value, std::string_view call, std::string_view subject) {
  std::error_code code(errno_value, std::generic_category());
  std::string what(call);
  if (!subject.empty()) {
    what += ' ';
    what += subject;
  }
  what += ": ";
  what += code.message();
  return Error{code, std::move(what)};
}

Error make_error(std::string what, std::errc code) {
  return Error{std::make_error_code(code), std::move(what)};
}

Error with_context(Error error, std::string_view context) {
  error.what.insert(0, ": ");
  error.what.insert(0, context);
  return error;
}

}  // namespace agentsh
