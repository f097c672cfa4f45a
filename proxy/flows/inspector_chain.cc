#include "proxy/flows/inspector_chain.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

// Both change the same place: one of the changes would be lost.
bool contradict(const http::HeadEdits& all, const http::HeadEdits& one) {
  const auto index = [](const auto& entry) { return entry.first; };
  return (!all.target.empty() && !one.target.empty()) ||
         std::ranges::any_of(one.values, [&](const auto& entry) {
           return std::ranges::find(all.values, entry.first, index) != all.values.end();
         });
}

InspectorRefusal contradiction() {
  return {.code = "head_in_dispute",
          .rule = {},
          .message =
              "The request's head holds credentials of a service and, in the same place, data "
              "that must not leave.",
          .advice = "Send what is meant for the service in a field of its own."};
}

}  // namespace

void add_edits(http::HeadEdits& all, http::HeadEdits one) {
  if (all.target.empty()) all.target = std::move(one.target);
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  append(all.values, one.values);
  append(all.set, one.set);
  append(all.remove, one.remove);
}

InspectorChain::InspectorChain(std::vector<std::unique_ptr<HttpInspector>> inspectors) {
  for (auto& inspector : inspectors) links_.push_back({.inspector = std::move(inspector)});
}

// One question after the other: the flow asks until there is none.
std::optional<InspectorQuestion> InspectorChain::question() {
  while (asked_ < links_.size()) {
    if (auto asked = links_[asked_].inspector->question()) return asked;
    ++asked_;
  }
  return {};
}

InspectorRefusal InspectorChain::refusal_for(const policy::Verdict& verdict) {
  return links_[asked_].inspector->refusal_for(verdict);
}

bool InspectorChain::must_prepare() const {
  return std::ranges::any_of(links_, [](const Link& l) { return l.inspector->must_prepare(); });
}

asio::awaitable<std::optional<InspectorRefusal>> InspectorChain::prepare(
    asio::any_io_executor executor) {
  for (Link& link : links_) {
    if (!link.inspector->must_prepare()) continue;
    if (auto refusal = co_await link.inspector->prepare(executor)) co_return refusal;
  }
  co_return std::nullopt;
}

void InspectorChain::add(HeadAction& all, HeadAction one) {
  all.body = std::max(all.body, one.body);
  all.refusal = std::move(one.refusal);
  all.collect_at_most = std::max(all.collect_at_most, one.collect_at_most);
  add_edits(all.edits, std::move(one.edits));
}

HeadAction InspectorChain::on_request_head(const http::RequestHead& head) {
  HeadAction all;
  for (Link& link : links_) {
    HeadAction one = link.inspector->on_request_head(head);
    link.request = one.body;
    link.collects = one.collect_at_most > 0;
    if (contradict(all.edits, one.edits)) one.refusal = contradiction();
    add(all, std::move(one));
    if (all.refusal) break;
  }
  return all;
}

asio::awaitable<CollectedEnd> InspectorChain::on_request_collected(std::string_view content,
                                                                   asio::any_io_executor executor) {
  CollectedEnd all;
  for (Link& link : links_) {
    if (!link.collects) continue;
    CollectedEnd one = co_await link.inspector->on_request_collected(content, executor);
    add_edits(all.edits, std::move(one.edits));
    all.refusal = std::move(one.refusal);
    if (all.refusal) break;
  }
  co_return all;
}

bool InspectorChain::on_interim_head(const http::ResponseHead& head) {
  return std::ranges::all_of(links_,
                             [&](Link& link) { return link.inspector->on_interim_head(head); });
}

HeadAction InspectorChain::on_response_head(const http::ResponseHead& head) {
  HeadAction all;
  for (Link& link : links_) {
    HeadAction one = link.inspector->on_response_head(head);
    link.response = one.body;
    add(all, std::move(one));
    if (all.refusal) break;
  }
  return all;
}

std::unique_ptr<SwitchedInspector> InspectorChain::on_switch() {
  for (Link& link : links_) {
    if (auto inspector = link.inspector->on_switch()) return inspector;
  }
  return nullptr;
}

// What the link gives out is in passing_[current_] afterwards, if it changes the content.
std::optional<InspectorRefusal> InspectorChain::pass(Link& link, BodyUse use, OnBody on_body,
                                                     Bytes content, bool last) {
  std::string& next = passing_[1 - current_];
  next.clear();
  auto refusal = (link.inspector.get()->*on_body)(content, last, next);
  if (use == BodyUse::kObserve) {
    next.assign(as_text(content));
  }
  current_ = 1 - current_;
  return refusal;
}

std::optional<InspectorRefusal> InspectorChain::on_request_body(Bytes content, bool last,
                                                                std::string& out) {
  for (std::size_t i = links_.size(); i-- > 0;) {
    Link& link = links_[i];
    if (link.request == BodyUse::kPass || (content.empty() && !last)) continue;
    if (auto refusal = pass(link, link.request, &HttpInspector::on_request_body, content, last)) {
      return refusal;
    }
    content = as_bytes(passing_[current_]);
  }
  out += as_text(content);
  return {};
}

std::optional<InspectorRefusal> InspectorChain::on_response_body(Bytes content, bool last,
                                                                 std::string& out) {
  for (Link& link : links_) {
    if (link.response == BodyUse::kPass || (content.empty() && !last)) continue;
    if (auto refusal = pass(link, link.response, &HttpInspector::on_response_body, content, last)) {
      return refusal;
    }
    content = as_bytes(passing_[current_]);
  }
  out += as_text(content);
  return {};
}

InspectorChainFactory::InspectorChainFactory(
    std::vector<std::shared_ptr<HttpInspectorFactory>> factories) {
  for (auto& factory : factories) {
    if (factory != nullptr) factories_.push_back(std::move(factory));
  }
}

std::unique_ptr<HttpInspector> InspectorChainFactory::inspect(const policy::Actor& actor,
                                                              const policy::HttpFacts& facts) {
  std::vector<std::unique_ptr<HttpInspector>> inspectors;
  for (const auto& factory : factories_) {
    if (auto inspector = factory->inspect(actor, facts)) inspectors.push_back(std::move(inspector));
  }
  if (inspectors.size() < 2) return inspectors.empty() ? nullptr : std::move(inspectors.front());
  return std::make_unique<InspectorChain>(std::move(inspectors));
}

bool InspectorChainFactory::http_only(std::string_view host) const {
  return std::ranges::any_of(factories_,
                             [&](const auto& factory) { return factory->http_only(host); });
}

bool InspectorChainFactory::opens_tls(std::string_view host) const {
  return std::ranges::any_of(factories_,
                             [&](const auto& factory) { return factory->opens_tls(host); });
}

}  // namespace agentsh::flows
