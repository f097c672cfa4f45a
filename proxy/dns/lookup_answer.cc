#include "proxy/dns/lookup.h"
#include "proxy/dns/special_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dns {
namespace {

using policy::Verdict;

constexpr std::string_view kRebindingRule = "dns-rebinding-guard";
// Answers that end in an alias without its address are asked on this often.
constexpr int kMaxUpstreamAnswers = 8;

}  // namespace

Step Lookup::ask(std::string_view host) {
  if (++upstream_answers_ > kMaxUpstreamAnswers) {
    give_up(ErrorInfo::kInvalidData, fmt::format("{} has too many aliases", query_.host));
    return Step::kDone;
  }
  if (query_.forwarded.empty()) {
    if (auto cached = engine_.cache().find({host, query_.type, query_.dnssec_ok}, now_)) {
      return accept(std::move(cached));
    }
  }
  next_ = {std::string(host), query_.type, query_.dnssec_ok, query_.forwarded};
  asked_upstream_ = true;
  return Step::kAskUpstream;
}

Step Lookup::upstream_answered(AnswerPtr answer, TimePoint now) {
  now_ = now;
  return accept(std::move(answer));
}

Step Lookup::accept(AnswerPtr answer) {
  if (!answer->failure.empty()) {
    give_up(answer->failure_info, answer->failure);
    return Step::kDone;
  }
  outcome_.kept.push_back(answer);
  outcome_.upstream = answer->server;
  outcome_.answers.reserve(outcome_.answers.size() + answer->records.size());
  outcome_.addresses.reserve(answer->records.size());
  outcome_.authenticated =
      answer->authenticated && (outcome_.kept.size() == 1 || outcome_.authenticated);
  for (const Record& record : answer->records) {
    Step step = Step::kDone;
    if (record.type == RrType::kCname) {
      if (take_alias(record, *answer, step)) return step;
    } else if (record.address() != nullptr) {
      take_address(record, *answer);
    } else {
      outcome_.answers.push_back({&record, answer->remaining(record.ttl, now_)});
    }
  }
  if (!answer->complete) {
    const auto host = answer->final_name.host();
    if (host) return ask(*host);
    give_up(ErrorInfo::kInvalidData, "an alias leads to what is no host name");
    return Step::kDone;
  }
  for (const Record& record : answer->authority) {
    outcome_.authority.push_back({&record, answer->remaining(record.ttl, now_)});
  }
  return settle_addresses(*answer);
}

// True when the alias settles the question: `step` is then where it goes on.
bool Lookup::take_alias(const Record& record, const Answer& answer, Step& step) {
  const Name& target = std::get<NameData>(record.data).target;
  auto host = target.host();
  if (!host) {
    give_up(ErrorInfo::kInvalidData,
            fmt::format("{} is an alias of what is no host name", query_.host));
    step = Step::kDone;
    return true;
  }
  Judgement judgement = session_->policy().judge({*host, to_string(query_.type)});
  const bool denied = judgement.verdict.effective() == policy::Decision::kDeny;
  if (denied && judgement.named) {
    step = refuse(std::move(judgement.verdict), true, *host);
    return true;
  }
  outcome_.answers.push_back({&record, answer.remaining(record.ttl, now_)});
  if (judgement.verdict.permitted()) aliases_.push_back(*host);
  if (auto redirect = session_->policy().redirect(*host)) {
    step = answer_redirect(target, *redirect);
    return true;
  }
  return false;
}

void Lookup::take_address(const Record& record, const Answer& answer) {
  const IpAddress& address = *record.address();
  if (!answer.all_public) {
    const AddressClass address_class = classify(address);
    if (address_class != AddressClass::kPublic &&
        !session_->policy().allows_special_address(query_.host, address)) {
      outcome_.removed.push_back({address, address_class});
      return;
    }
  }
  const std::uint32_t ttl = answer.remaining(record.ttl, now_);
  if (!grant(address, ttl, LeaseOrigin::kAnswer)) return;
  outcome_.answers.push_back({&record, ttl});
  outcome_.addresses.push_back(address);
}

// An address goes into the answer only when its lease under the asked name is there.
bool Lookup::grant(const IpAddress& address, std::uint32_t ttl, LeaseOrigin origin) {
  LeaseTable& leases = session_->leases();
  const std::chrono::seconds lifetime(ttl);
  if (!leases.grant(query_.host, address, lifetime, origin)) {
    leases_full_ = true;
    return false;
  }
  for (const std::string& alias : aliases_) leases.grant(alias, address, lifetime, origin);
  return true;
}

std::vector<std::string> Lookup::owners() const {
  std::vector<std::string> names = {query_.host};
  names.insert(names.end(), aliases_.begin(), aliases_.end());
  return names;
}

Step Lookup::settle_addresses(const Answer& answer) {
  const AnswerSource source = asked_upstream_ ? AnswerSource::kUpstream : AnswerSource::kCache;
  if (outcome_.removed.empty()) {
    return finish(answer.rcode, source, std::move(outcome_.verdict));
  }
  const RemovedAddress& first = outcome_.removed.front();
  std::string text = fmt::format(
      "{} resolves to {} ({} address); only a rule with cidrs that covers it allows that",
      query_.host, first.address.to_string(), to_string(first.address_class));
  if (outcome_.addresses.empty()) {
    return refuse(Verdict::deny(kRebindingRule, text), true, query_.host);
  }
  // Signatures would be over the whole set.
  std::erase_if(outcome_.answers,
                [](const GivenRecord& given) { return given.record->type == RrType::kRrsig; });
  outcome_.authenticated = false;
  explain(ErrorInfo::kFiltered, std::move(text));
  return finish(answer.rcode, source, std::move(outcome_.verdict));
}

}  // namespace agentsh::dns
