// Several inspectors of one exchange as one.
//
// They stand in a row between client and server, the first nearest to the server: a request's
// content goes through the last one first, a response's through the first one first. Questions are
// asked, and heads shown, from the first to the last; what the first says of a head goes before
// what the others say of the same field.
#pragma once

#include "proxy/flows/http_inspector.h"

#include <memory>
#include <vector>

namespace agentsh::flows {

// What `all` says of a field goes before what `one` says of it.
void add_edits(http::HeadEdits& all, http::HeadEdits one);

class InspectorChain final : public HttpInspector {
 public:
  // Precondition: none of them is null.
  explicit InspectorChain(std::vector<std::unique_ptr<HttpInspector>> inspectors);

  std::optional<InspectorQuestion> question() override;
  InspectorRefusal refusal_for(const policy::Verdict& verdict) override;
  bool must_prepare() const override;
  boost::asio::awaitable<std::optional<InspectorRefusal>> prepare(
      boost::asio::any_io_executor executor) override;
  HeadAction on_request_head(const http::RequestHead& head) override;
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override;
  boost::asio::awaitable<CollectedEnd> on_request_collected(
      std::string_view content, boost::asio::any_io_executor executor) override;
  bool on_interim_head(const http::ResponseHead& head) override;
  HeadAction on_response_head(const http::ResponseHead& head) override;
  // Of the first that has one: there is one protocol behind a switch.
  std::unique_ptr<SwitchedInspector> on_switch() override;
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override;

 private:
  using OnBody = std::optional<InspectorRefusal> (HttpInspector::*)(Bytes, bool, std::string&);
  struct Link {
    std::unique_ptr<HttpInspector> inspector;
    BodyUse request = BodyUse::kPass;
    bool collects = false;
    BodyUse response = BodyUse::kPass;
  };
  static void add(HeadAction& all, HeadAction one);
  std::optional<InspectorRefusal> pass(Link& link, BodyUse use, OnBody on_body, Bytes content,
                                       bool last);

  std::vector<Link> links_;
  std::size_t asked_ = 0;   // Links whose question was asked.
  std::string passing_[2];  // Content between two links.
  std::size_t current_ = 0;
};

// The inspectors of several factories as one, the first factory's nearest to the server. A factory
// may be null.
class InspectorChainFactory final : public HttpInspectorFactory {
 public:
  explicit InspectorChainFactory(std::vector<std::shared_ptr<HttpInspectorFactory>> factories);
  std::unique_ptr<HttpInspector> inspect(const policy::Actor& actor,
                                         const policy::HttpFacts& facts) override;
  bool http_only(std::string_view host) const override;
  bool opens_tls(std::string_view host) const override;

 private:
  std::vector<std::shared_ptr<HttpInspectorFactory>> factories_;
};

}  // namespace agentsh::flows
