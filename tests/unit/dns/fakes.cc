#include "tests/unit/dns/fakes.h"

#include "base/domain.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dns {
namespace {

using policy::Decision;
using policy::Verdict;

bool covers(const std::set<std::string>& names, std::string_view host) {
  return std::any_of(names.begin(), names.end(),
                     [host](const std::string& entry) { return is_subdomain_of(host, entry); });
}

}  // namespace

Judgement FakePolicy::judge(const policy::DnsFacts& facts) const {
  if (covers(denied, facts.name)) return {Verdict::deny("deny-rule", "not for agents"), true};
  if (covers(approve, facts.name)) {
    return {Verdict::from_rule(Decision::kApprove, "approve-rule", "ask a person"), true};
  }
  if (covers(allowed, facts.name)) return {Verdict::allow("allow-rule"), true};
  if (allow_all) return {Verdict::allow("allow-all"), false};
  return {Verdict::deny(policy::kDefaultDenyNetwork, ""), false};
}

std::optional<NameRedirect> FakePolicy::redirect(std::string_view name) const {
  const auto found = redirects.find(std::string(name));
  if (found == redirects.end()) return {};
  return found->second;
}

bool FakePolicy::allows_special_address(std::string_view name, const IpAddress& address) const {
  return special_addresses.contains({std::string(name), address});
}

void FakePolicy::settle(Verdict verdict, const policy::Actor&, std::string_view name,
                        std::function<void(Verdict)> done) const {
  approver(std::move(verdict), std::string(name), std::move(done));
}

void FakeObserver::answered(const QueryReport& report) {
  std::string line = fmt::format("{} {} {} {}", to_string(report.query.type),
                                 report.query.host.empty() ? "?" : report.query.host,
                                 to_string(report.outcome.rcode), to_string(report.outcome.source));
  for (const IpAddress& address : report.outcome.addresses) line += " " + address.to_string();
  const std::lock_guard lock(mutex_);
  lines_.push_back(std::move(line));
  events_.push_back(to_event(report));
}

void FakeObserver::malformed(const MalformedReport& report) {
  const std::lock_guard lock(mutex_);
  malformed_count_ += report.count;
  ++malformed_reports_;
}

std::vector<std::string> FakeObserver::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::vector<audit::Event> FakeObserver::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::uint64_t FakeObserver::malformed_count() const {
  const std::lock_guard lock(mutex_);
  return malformed_count_;
}

std::size_t FakeObserver::malformed_reports() const {
  const std::lock_guard lock(mutex_);
  return malformed_reports_;
}

Session& TestSession::make(SessionOptions options) {
  if (options.id.empty()) options.id = "session-1";
  options.policy = policy;
  options.observer = observer;
  session = std::make_shared<Session>(std::move(options));
  return *session;
}

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
Name name(std::string_view host) {
  return Name::from_host(host).value();
}

Record address_record(std::string_view owner, std::string_view address, std::uint32_t ttl) {
  const IpAddress parsed = ip(address);
  const bool v4 = address.find(':') == std::string_view::npos;
  return {name(owner), v4 ? RrType::kA : RrType::kAaaa, ttl, parsed};
}

Record alias_record(std::string_view owner, std::string_view target, std::uint32_t ttl) {
  return {name(owner), RrType::kCname, ttl, NameData{name(target)}};
}

Record soa_record(std::string_view zone, std::uint32_t ttl, std::uint32_t minimum) {
  return {name(zone), RrType::kSoa, ttl,
          SoaData{name("ns.invalid"), name("admin.invalid"), 1, 2, 3, 4, minimum}};
}

Record text_record(std::string_view owner, std::string text, std::uint32_t ttl) {
  return {name(owner), RrType::kTxt, ttl, TextData{{std::move(text)}}};
}

Message question(std::string_view host, RrType type, bool edns) {
  Message message;
  message.header.id = 0x1234;
  message.header.recursion_desired = true;
  message.question = Question{name(host), type};
  if (edns) message.edns = Edns{};
  return message;
}

Message reply_to(const Message& query, std::vector<Record> answers, Rcode rcode) {
  Message message;
  message.header = query.header;
  message.header.authentic_data = false;
  message.header.response = true;
  message.header.recursion_available = true;
  message.header.rcode = rcode;
  message.question = query.question;
  message.answers = std::move(answers);
  if (query.edns) message.edns = Edns{};
  return message;
}

std::vector<std::string> addresses_in(const Message& message) {
  std::vector<std::string> texts;
  for (const Record& record : message.answers) {
    if (record.address() != nullptr) texts.push_back(record.address()->to_string());
  }
  return texts;
}

std::string extended_error_text(const Message& message) {
  if (!message.edns) return {};
  for (const EdnsOption& option : message.edns->options) {
    if (option.code == kOptionExtendedError) return option.value.substr(2);
  }
  return {};
}

}  // namespace agentsh::dns
