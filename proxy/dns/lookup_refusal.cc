#include "proxy/dns/lookup.h"
#include "proxy/dns/special_names.h"

#include <fmt/format.h>

namespace agentsh::dns {
namespace {

using policy::Verdict;

// Who asked should learn which rule it was and what to do. Rules' own messages often say so.
std::string refusal_text(const Verdict& verdict, bool named, std::string_view host) {
  const std::string& message = verdict.message();
  if (message.find('"' + verdict.rule() + '"') != std::string::npos) return message;
  if (!named) {
    if (!message.empty()) return fmt::format("{} ({})", message, verdict.rule());
    return fmt::format("no network rule allows {} ({}); ask for a rule with it under domains", host,
                       verdict.rule());
  }
  return fmt::format("rule \"{}\" denies {}: {}", verdict.rule(), host,
                     message.empty() ? "do not retry, ask who runs this sandbox" : message);
}

}  // namespace

// A name that a program only guesses at (a search list's suffix, a single label, who an address
// belongs to) does not exist as far as the session is concerned, when no rule is about it: a
// refusal would end glibc's walk through the search list.
Step Lookup::refuse(Verdict verdict, bool named, std::string_view host) {
  const bool guess =
      !named && (query_.host.find('.') == std::string::npos || is_reverse_name(query_.host) ||
                 session_->has_search_suffix(query_.host));
  outcome_.answers.clear();
  outcome_.authority.clear();
  outcome_.addresses.clear();
  outcome_.authenticated = false;
  std::string text = refusal_text(verdict, named, host);
  if (host != query_.host && !query_.host.empty()) {
    text = fmt::format("{} is an alias of {}; {}", query_.host, host, text);
  }
  explain(named ? ErrorInfo::kBlocked : ErrorInfo::kProhibited, std::move(text));
  return finish(guess ? Rcode::kNxDomain : engine_.options().deny_rcode, AnswerSource::kPolicy,
                std::move(verdict));
}

void Lookup::give_up(ErrorInfo info, std::string reason) {
  outcome_.answers.clear();
  outcome_.authority.clear();
  outcome_.addresses.clear();
  outcome_.authenticated = false;
  explain(info, std::move(reason));
  outcome_.rcode = Rcode::kServFail;
  outcome_.source = AnswerSource::kUpstream;
}

Step Lookup::finish(Rcode rcode, AnswerSource source, Verdict verdict) {
  outcome_.rcode = rcode;
  outcome_.source = source;
  outcome_.verdict = std::move(verdict);
  if (leases_full_ && outcome_.addresses.empty() && rcode == Rcode::kNoError) {
    give_up(ErrorInfo::kOther, "the session holds too many leases");
  }
  return Step::kDone;
}

void Lookup::explain(ErrorInfo info, std::string text) {
  outcome_.error = extended_error(info, text);
  outcome_.reason = std::move(text);
}

}  // namespace agentsh::dns
