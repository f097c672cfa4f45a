#include "sqlguard/login/login_failure.h"

#include "sqlguard/codec/messages.h"

#include <algorithm>

namespace agentsh::sql {

void write(const LoginFailure& failure, ByteWriter& out) {
  LoginFailure clean = failure;
  for (std::string* text : {&clean.sqlstate, &clean.message, &clean.detail, &clean.hint})
    std::ranges::replace(*text, '\0', ' ');
  Report report{.is_error = true, .fields = {{'S', "FATAL"}, {'V', "FATAL"}}};
  report.fields.emplace_back('C', clean.sqlstate);
  report.fields.emplace_back('M', clean.message);
  if (!clean.detail.empty()) report.fields.emplace_back('D', clean.detail);
  if (!clean.hint.empty()) report.fields.emplace_back('H', clean.hint);
  write(BackendMessage(std::move(report)), out);
}

}  // namespace agentsh::sql
