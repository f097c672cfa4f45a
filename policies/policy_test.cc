#include "policies/policy_test.h"

#include "base/domain.h"
#include "base/json_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

constexpr std::string_view kOtherOperations[] = {"connect", "dns", "exec"};

// Stands for any public address.
constexpr std::string_view kSomePublicAddress = "93.184.216.34";

template <class Rules>
SourcePosition place_of(const Rules& rules, std::string_view name) {
  auto rule =
      std::ranges::find(rules, name, [](auto& item) { return std::string_view(item.name); });
  return rule == rules.end() ? SourcePosition{} : rule->where;
}

// Redirects are named by an entry of their own section.
SourcePosition place_in(const Policy& policy, const Verdict& verdict) {
  for (const SourcePosition& where : {place_of(policy.network_rules, verdict.rule()),
                                      place_of(policy.connect_redirects, verdict.rule()),
                                      place_of(policy.dns_redirects, verdict.rule())}) {
    if (where.line > 0) return where;
  }
  return {};
}

Result<PolicyAnswer> connect(const CompiledPolicy& policy, std::string_view target) {
  const std::size_t at = target.find('@');
  auto host = split_host_port(target.substr(0, at), 443);
  if (!host) return fail(fmt::format("\"{}\" is not host:port or host:port@address", target));
  ConnectFacts facts{.port = host->port};
  std::optional<std::string> name;
  std::string note;
  if (auto address = IpAddress::parse(host->host)) {
    facts.address = *address;
  } else {
    name = canonical_host(host->host);
    if (!name) return fail(fmt::format("\"{}\" is no host name", host->host));
    facts.name = *name;
    auto leased =
        IpAddress::parse(at == std::string_view::npos ? kSomePublicAddress : target.substr(at + 1));
    if (!leased) return fail(fmt::format("\"{}\" is no IP address", target.substr(at + 1)));
    facts.address = *leased;
    if (at == std::string_view::npos) note = "if the name has a public address";
  }
  Verdict verdict = policy.decide(facts);
  const SourcePosition where = place_in(policy.policy(), verdict);
  return PolicyAnswer{std::move(verdict), where, std::move(note)};
}

Result<PolicyAnswer> resolve(const CompiledPolicy& policy, std::string_view target) {
  auto name = canonical_host(target);
  if (!name) return fail(fmt::format("\"{}\" is no host name", target));
  Verdict verdict = policy.decide(DnsFacts{.name = *name, .type = "A"});
  const SourcePosition where = place_in(policy.policy(), verdict);
  return PolicyAnswer{std::move(verdict), where, {}};
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (char c : line) {
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<PolicyAnswer> execute(const CompiledPolicy& policy, std::string_view target) {
  std::vector<std::string> words = words_of(target);
  if (words.empty()) return fail("there is no command");
  const std::string path = std::move(words.front());
  words.erase(words.begin());
  Verdict verdict = policy.decide(CommandFacts{.path = path, .arguments = words});
  std::string note;
  if (CommandUnwrapper::is_opaque_script(path, words)) {
    note = "the script is judged as its shell; what it starts is judged where it is started";
  }
  const SourcePosition where = place_of(policy.policy().command_rules, verdict.rule());
  return PolicyAnswer{std::move(verdict), where, std::move(note)};
}

Result<PolicyAnswer> file(const CompiledPolicy& policy, const PolicyQuestion& question) {
  if (!question.target.starts_with('/')) {
    return fail(fmt::format("\"{}\" is no absolute path", question.target));
  }
  Verdict verdict =
      policy.decide(FileFacts{.path = question.target, .operation = question.operation});
  const SourcePosition where = place_of(policy.policy().file_rules, verdict.rule());
  return PolicyAnswer{std::move(verdict), where, {}};
}

}  // namespace

Result<PolicyAnswer> test_policy(const CompiledPolicy& policy, const PolicyQuestion& question) {
  if (question.operation == "connect") return connect(policy, question.target);
  if (question.operation == "dns") return resolve(policy, question.target);
  if (question.operation == "exec") return execute(policy, question.target);
  if (parse_file_operation(question.operation)) return file(policy, question);
  std::vector<std::string_view> known(std::begin(kOtherOperations), std::end(kOtherOperations));
  for (std::size_t i = 0; i < kFileOperations; ++i) {
    known.push_back(to_string(static_cast<FileOperation>(i)));
  }
  std::string message = fmt::format("\"{}\" is no operation: there are {}", question.operation,
                                    fmt::join(known, ", "));
  if (auto near = closest_word(question.operation, known)) {
    message += fmt::format("; did you mean \"{}\"?", *near);
  }
  return fail(std::move(message));
}

std::string to_text(const PolicyAnswer& answer) {
  const Verdict& verdict = answer.verdict;
  std::string text = fmt::format("{} by {}", to_string(verdict.decision()), verdict.rule());
  if (answer.rule_where.line > 0) text += fmt::format(" (line {})", answer.rule_where.line);
  if (verdict.redirect()) text += fmt::format(" to {}", verdict.redirect()->target);
  if (!verdict.message().empty()) text += fmt::format(": {}", verdict.message());
  if (!answer.note.empty()) text += fmt::format(" [{}]", answer.note);
  return text + "\n";
}

std::string to_json(const PolicyAnswer& answer) {
  const Verdict& verdict = answer.verdict;
  JsonWriter json(2);
  json.begin_object()
      .field("decision", verdict.permitted() || verdict.needs_approval()
                             ? to_string(verdict.decision())
                             : std::string_view("deny"))
      .field("policy_decision", to_string(verdict.decision()))
      .field("rule", verdict.rule())
      .field("reason", verdict.message());
  if (answer.rule_where.line > 0) json.field("line", answer.rule_where.line);
  json.optional_field("note", answer.note);
  if (verdict.redirect()) json.field("redirect", verdict.redirect()->target);
  json.end_object();
  return json.take();
}

}  // namespace agentsh::policy
