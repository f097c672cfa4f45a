#include "proxy/dns/query_observer.h"

#include <fmt/format.h>

namespace agentsh::dns {
namespace {

audit::Event event_of(std::string_view type, const policy::Actor& actor) {
  audit::Event event{std::string(type)};
  event.command_id = actor.command_id;
  event.source = "dns";
  event.pid = actor.pid;
  event.program = actor.program;
  return event;
}

std::string shown_name(const Query& query) {
  return query.host.empty() ? query.name.to_text() : query.host;
}

std::vector<std::string> address_texts(const Outcome& outcome) {
  std::vector<std::string> texts;
  texts.reserve(outcome.addresses.size());
  for (const IpAddress& address : outcome.addresses) texts.push_back(address.to_string());
  return texts;
}

// Names that the answer leads through, and those that records point to.
std::vector<std::string> target_texts(const Outcome& outcome) {
  std::vector<std::string> texts;
  for (const GivenRecord& given : outcome.answers) {
    if (const auto* name = std::get_if<NameData>(&given.record->data)) {
      texts.push_back(name->target.to_text());
    }
  }
  return texts;
}

std::vector<std::string> removed_texts(const Outcome& outcome) {
  std::vector<std::string> texts;
  for (const RemovedAddress& removed : outcome.removed) {
    texts.push_back(
        fmt::format("{} ({})", removed.address.to_string(), to_string(removed.address_class)));
  }
  return texts;
}

}  // namespace

std::string_view to_string(QueryTransport transport) {
  switch (transport) {
    case QueryTransport::kUdp:
      return "udp";
    case QueryTransport::kTcp:
      return "tcp";
    case QueryTransport::kProxy:
      return "proxy";
  }
  return "unknown";
}

std::string_view to_string(AnswerSource source) {
  switch (source) {
    case AnswerSource::kPolicy:
      return "policy";
    case AnswerSource::kSpecial:
      return "special";
    case AnswerSource::kHosts:
      return "hosts";
    case AnswerSource::kRedirect:
      return "redirect";
    case AnswerSource::kCache:
      return "cache";
    case AnswerSource::kUpstream:
      return "upstream";
  }
  return "unknown";
}

audit::Event to_event(const QueryReport& report) {
  const Outcome& outcome = report.outcome;
  audit::Event event = event_of("dns_query", report.actor);
  event.domain = shown_name(report.query);
  event.operation = "resolve";
  event.fields.reserve(10);
  event.field("qtype", to_string(report.query.type))
      .field("rcode", to_string(outcome.rcode))
      .field("source", std::string(to_string(outcome.source)))
      .field("transport", std::string(to_string(report.query.transport)))
      .field("cached", outcome.source == AnswerSource::kCache)
      .field("latency_us", static_cast<std::int64_t>(report.latency.count() / 1000));
  if (!outcome.addresses.empty()) event.field("ips", address_texts(outcome));
  if (auto targets = target_texts(outcome); !targets.empty()) {
    event.field("targets", std::move(targets));
  }
  if (!outcome.removed.empty()) event.field("removed", removed_texts(outcome));
  if (!outcome.upstream.empty()) event.field("upstream", outcome.upstream);
  if (!outcome.reason.empty()) event.field("reason", outcome.reason);
  return event;
}

std::optional<audit::Event> redirect_event(const QueryReport& report) {
  const auto& redirect = report.outcome.verdict.redirect();
  if (report.outcome.source != AnswerSource::kRedirect || !redirect) return {};
  audit::Event event = event_of("dns_redirect", report.actor);
  event.domain = shown_name(report.query);
  event.field("original_host", event.domain)
      .field("resolved_to", redirect->target)
      .field("rule", report.outcome.verdict.rule())
      .field("visibility", report.outcome.visibility);
  return event;
}

audit::Event to_event(const MalformedReport& report) {
  audit::Event event = event_of("dns_malformed", report.actor);
  event.field("reason", std::string(report.reason))
      .field("count", static_cast<std::int64_t>(report.count));
  return event;
}

}  // namespace agentsh::dns
