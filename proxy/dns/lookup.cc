#include "proxy/dns/lookup.h"

#include "proxy/dns/special_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dns {
namespace {

using policy::Verdict;

constexpr std::string_view kSpecialNameRule = "dns-special-name";
constexpr std::string_view kQueryTypeRule = "dns-query-type";
constexpr std::string_view kBadNameRule = "dns-bad-name";

// RFC 8880 §2.
constexpr std::uint32_t kIpv4OnlyAddresses[] = {0xc00000aa, 0xc00000ab};

// Zone transfers, types that only tunnels use or nobody since 1987, pseudo types, private types.
bool is_refused_type(RrType type) {
  const auto number = static_cast<std::uint16_t>(type);
  if (type == RrType::kAny) return false;
  return number == 0 || type == RrType::kNull || type == RrType::kOpt ||
         (number >= 128 && number <= 255) || number >= 65280;
}

}  // namespace

Lookup::Lookup(Engine& engine, std::shared_ptr<Session> session, Query query, TimePoint now)
    : engine_(engine), session_(std::move(session)), query_(std::move(query)), now_(now) {}

Step Lookup::start() {
  if (query_.host.empty()) {
    const std::string name = query_.name.to_text();
    return refuse(Verdict::deny(kBadNameRule, "only host names are resolved here"), true, name);
  }
  if (refuse_type()) return Step::kDone;
  bool handled = false;
  Step step = answer_special(handled);
  if (!handled) step = answer_reverse(handled);
  if (handled) return step;
  if (auto redirect = session_->policy().redirect(query_.host)) {
    return answer_redirect(query_.name, *redirect);
  }
  return judge();
}

bool Lookup::refuse_type() {
  if (!is_refused_type(query_.type)) return false;
  const std::string type = to_string(query_.type);
  refuse(Verdict::deny(kQueryTypeRule, fmt::format("{} questions are not answered here", type)),
         true, query_.host);
  return true;
}

Step Lookup::answer_special(bool& handled) {
  handled = true;
  switch (special_name(query_.host)) {
    case SpecialName::kLocalhost:
      return answer_local({IpAddress::v4(0x7f000001), *IpAddress::parse("::1")},
                          AnswerSource::kSpecial, kSpecialNameRule);
    case SpecialName::kIpv4Only:
      return answer_local(
          {IpAddress::v4(kIpv4OnlyAddresses[0]), IpAddress::v4(kIpv4OnlyAddresses[1])},
          AnswerSource::kSpecial, kSpecialNameRule);
    case SpecialName::kOnion:
      return refuse(Verdict::deny(kSpecialNameRule, "onion names are not in the DNS (RFC 7686)"),
                    true, query_.host);
    case SpecialName::kNoSuchName:
      return finish(Rcode::kNxDomain, AnswerSource::kSpecial, Verdict::allow(kSpecialNameRule));
    case SpecialName::kMulticast:
    case SpecialName::kNone:
      break;
  }
  handled = false;
  return Step::kDone;
}

// Reverse names of what this session was given are answered from its own tables; those of private
// space are nobody's business outside (RFC 6303).
Step Lookup::answer_reverse(bool& handled) {
  handled = false;
  const auto address = reverse_address(query_.host);
  if (!address) return Step::kDone;
  std::string name;
  if (const std::string* known = session_->hosts().name_of(*address)) {
    name = *known;
  } else if (auto leased = session_->leases().names_of(*address, 1); !leased.empty()) {
    name = std::move(leased.front());
  }
  const auto target = Name::from_host(name);
  if (!target && classify(*address) == AddressClass::kPublic) return Step::kDone;
  handled = true;
  if (!target) {
    return finish(Rcode::kNxDomain, AnswerSource::kSpecial, Verdict::allow(kSpecialNameRule));
  }
  if (query_.type == RrType::kPtr || query_.type == RrType::kAny) {
    add_made({query_.name, RrType::kPtr, engine_.options().local_ttl, NameData{*target}});
  }
  return finish(Rcode::kNoError, AnswerSource::kSpecial, Verdict::allow(kSpecialNameRule));
}

Step Lookup::judge() {
  const std::string type = to_string(query_.type);
  Judgement judgement = session_->policy().judge({query_.host, type});
  if (special_name(query_.host) == SpecialName::kMulticast && !judgement.named &&
      judgement.verdict.permitted() && !session_->has_search_suffix(query_.host)) {
    return refuse(Verdict::deny(kSpecialNameRule,
                                "names under .local are of multicast DNS, which does not leave the "
                                "session; a rule that names this host allows it"),
                  true, query_.host);
  }
  outcome_.verdict = std::move(judgement.verdict);
  if (outcome_.verdict.needs_approval()) {
    auto settled = session_->approvals().settled(query_.host, now_);
    if (!settled) return Step::kAskApproval;
    outcome_.verdict = std::move(*settled);
  }
  if (!outcome_.verdict.permitted()) {
    return refuse(std::move(outcome_.verdict), judgement.named, query_.host);
  }
  return resolve();
}

Step Lookup::approval_settled(Verdict verdict, TimePoint now) {
  now_ = now;
  if (!verdict.permitted()) return refuse(std::move(verdict), true, query_.host);
  outcome_.verdict = std::move(verdict);
  return resolve();
}

Step Lookup::resolve() {
  if (session_->hosts().has(query_.host)) return answer_hosts(session_->hosts());
  if (const auto hosts = engine_.hosts(now_); hosts->has(query_.host)) return answer_hosts(*hosts);
  if (query_.type == RrType::kAny) return answer_any();
  return ask(query_.host);
}

// RFC 8482 §4.2: the smallest answer to "any" that clients understand.
Step Lookup::answer_any() {
  add_made({query_.name, RrType::kHinfo, engine_.options().local_ttl,
            OpaqueData{std::string("\7RFC8482\0", 9)}});
  return finish(Rcode::kNoError, AnswerSource::kSpecial, std::move(outcome_.verdict));
}

Step Lookup::answer_hosts(const HostsTable& hosts) {
  const std::uint32_t ttl = engine_.options().local_ttl;
  for (const IpAddress& address : hosts.addresses_of(query_.host)) {
    if (!wants(address)) continue;
    const AddressClass address_class = classify(address);
    const bool needs_lease =
        address_class != AddressClass::kLoopback && address_class != AddressClass::kUnspecified;
    if (needs_lease && !grant(address, ttl, LeaseOrigin::kHosts)) continue;
    add_made({query_.name, query_.type, ttl, address});
    outcome_.addresses.push_back(address);
  }
  return finish(Rcode::kNoError, AnswerSource::kHosts, std::move(outcome_.verdict));
}

Step Lookup::answer_local(std::vector<IpAddress> addresses, AnswerSource source,
                          std::string_view rule) {
  for (const IpAddress& address : addresses) {
    if (!wants(address)) continue;
    add_made({query_.name, query_.type, engine_.options().local_ttl, address});
    outcome_.addresses.push_back(address);
  }
  return finish(Rcode::kNoError, source, Verdict::allow(rule));
}

// One address of one family: the other family, and every other type, has no records, so that a
// client cannot get past the rule by asking for something else.
Step Lookup::answer_redirect(const Name& owner, const NameRedirect& redirect) {
  auto target = std::make_shared<policy::Redirect>();
  target->target = redirect.address.to_string();
  target->audit_only = redirect.visibility != "warn";
  Verdict verdict = Verdict::from_rule(policy::Decision::kRedirect, redirect.rule, {})
                        .with_redirect(std::move(target));
  outcome_.visibility = redirect.visibility;
  const std::uint32_t ttl = engine_.options().local_ttl;
  if (wants(redirect.address) && grant(redirect.address, ttl, LeaseOrigin::kRedirect)) {
    add_made({owner, query_.type, ttl, redirect.address});
    outcome_.addresses.push_back(redirect.address);
  }
  if (redirect.visibility == "warn") {
    explain(ErrorInfo::kForged, fmt::format("rule \"{}\" resolves {} to {}", redirect.rule,
                                            query_.host, redirect.address.to_string()));
  }
  outcome_.authenticated = false;
  return finish(Rcode::kNoError, AnswerSource::kRedirect, std::move(verdict));
}

void Lookup::add_made(Record record) {
  const std::uint32_t ttl = record.ttl;
  outcome_.made.push_back(std::make_unique<const Record>(std::move(record)));
  outcome_.answers.push_back({outcome_.made.back().get(), ttl});
}

bool Lookup::wants(const IpAddress& address) const {
  return query_.type == (address.is_v4() ? RrType::kA : RrType::kAaaa);
}

}  // namespace agentsh::dns
