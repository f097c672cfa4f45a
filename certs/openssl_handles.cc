#include "certs/openssl_handles.h"

#include <openssl/err.h>

#include <string>

namespace agentsh::certs {

Error openssl_error(std::string_view what) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  std::string text(what);
  text += ": ";
  text += reason != nullptr ? reason : "OpenSSL gives no reason";
  return make_error(std::move(text), std::errc::io_error);
}

}  // namespace agentsh::certs
