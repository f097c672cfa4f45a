#include "appliance/llm/session_inspectors.h"

#include "appliance/llm/dlp_setup.h"
#include "proxy/llm/inspector.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

namespace agentsh {
namespace {

namespace asio = boost::asio;
using flows::HeadAction;
using flows::HttpInspector;
using flows::InspectorRefusal;

constexpr std::string_view kNoScanner =
    "The appliance cannot look for what must not leave, so it lets nothing through to LLM APIs. "
    "Its log says why.";

// The services of a session and the factory over them, once they can be made.
class SessionServices {
 public:
  SessionServices(std::shared_ptr<const LlmService::Shared> shared, std::string session_id,
                  std::shared_ptr<llm::RecordSink> sink, std::shared_ptr<llm::Budget> budget)
      : shared_(std::move(shared)),
        session_id_(std::move(session_id)),
        sink_(std::move(sink)),
        budget_(std::move(budget)) {}

  const LlmService::Shared& shared() const { return *shared_; }

  // Null while the scanner is being built, an error when that failed.
  // Every request of the session asks, so what is there is found without the lock.
  Result<flows::HttpInspectorFactory*> factory() {
    if (auto* made = made_.load(std::memory_order_acquire)) return made;
    const std::lock_guard lock(mutex_);
    if (factory_) return factory_.get();
    ScannerBuild::Scanner scanner;
    if (shared_->scanner) {
      auto built = shared_->scanner->result();
      if (!built) return nullptr;
      if (!*built) return std::unexpected(built->error());
      scanner = std::move(**built);
    }
    auto services = make(std::move(scanner));
    if (!services) return std::unexpected(services.error());
    factory_ = llm::make_inspector_factory(std::move(*services));
    made_.store(factory_.get(), std::memory_order_release);
    return factory_.get();
  }

 private:
  Result<std::shared_ptr<const llm::LlmServices>> make(ScannerBuild::Scanner scanner) const {
    auto services = std::make_shared<llm::LlmServices>();
    services->session_id = session_id_;
    services->prices = shared_->prices;
    services->sink = sink_;
    services->budget = budget_;
    services->aws = shared_->aws;
    services->servers = shared_->servers;
    services->max_request_bytes = shared_->max_request_bytes;
    if (scanner) {
      auto profiles = profiles_of(shared_->dlp, scanner);
      if (!profiles) return std::unexpected(profiles.error());
      services->request_profile = std::move(profiles->request);
      services->answer_profile = std::move(profiles->answer);
      services->vault = std::make_shared<dlp::Vault>();
    }
    return services;
  }

  const std::shared_ptr<const LlmService::Shared> shared_;
  const std::string session_id_;
  const std::shared_ptr<llm::RecordSink> sink_;
  const std::shared_ptr<llm::Budget> budget_;
  std::mutex mutex_;
  std::shared_ptr<flows::HttpInspectorFactory> factory_;
  std::atomic<flows::HttpInspectorFactory*> made_ = nullptr;  // factory_, for good.
};

// HttpFacts with texts of their own.
struct KeptFacts {
  explicit KeptFacts(const policy::HttpFacts& facts)
      : method(facts.method),
        scheme(facts.scheme),
        host(facts.host),
        port(facts.port),
        path(facts.path),
        via_service(facts.via_service) {}
  policy::HttpFacts view() const { return {method, scheme, host, port, path, via_service}; }

  std::string method;
  std::string scheme;
  std::string host;
  std::uint16_t port;
  std::string path;
  std::string via_service;
};

// A request that came before the scanner was built, or where it cannot be.
class WaitingInspector final : public HttpInspector {
 public:
  WaitingInspector(std::shared_ptr<SessionServices> services, policy::Actor actor,
                   const policy::HttpFacts& facts)
      : services_(std::move(services)), actor_(std::move(actor)), facts_(facts) {}

  bool must_prepare() const override { return true; }
  asio::awaitable<std::optional<InspectorRefusal>> prepare(
      asio::any_io_executor executor) override {
    if (const auto& scanner = services_->shared().scanner) {
      static_cast<void>(co_await scanner->wait(executor));
    }
    auto factory = services_->factory();
    if (!factory || *factory == nullptr) {
      co_return InspectorRefusal{.status = 503,
                                 .code = "dlp_unavailable",
                                 .rule = {},
                                 .message = std::string(kNoScanner),
                                 .advice = {}};
    }
    inner_ = (*factory)->inspect(actor_, facts_.view());
    co_return std::nullopt;
  }

  HeadAction on_request_head(const http::RequestHead& head) override {
    return inner_ ? inner_->on_request_head(head) : HeadAction{};
  }
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override {
    return inner_->on_request_body(content, last, out);
  }
  asio::awaitable<flows::CollectedEnd> on_request_collected(
      std::string_view content, asio::any_io_executor executor) override {
    return inner_->on_request_collected(content, std::move(executor));
  }
  HeadAction on_response_head(const http::ResponseHead& head) override {
    return inner_ ? inner_->on_response_head(head) : HeadAction{};
  }
  std::unique_ptr<flows::SwitchedInspector> on_switch() override {
    return inner_ ? inner_->on_switch() : nullptr;
  }
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override {
    return inner_->on_response_body(content, last, out);
  }

 private:
  std::shared_ptr<SessionServices> services_;
  policy::Actor actor_;
  KeptFacts facts_;
  std::unique_ptr<HttpInspector> inner_;
};

class SessionInspectors final : public flows::HttpInspectorFactory {
 public:
  explicit SessionInspectors(std::shared_ptr<SessionServices> services)
      : services_(std::move(services)) {}

  std::unique_ptr<HttpInspector> inspect(const policy::Actor& actor,
                                         const policy::HttpFacts& facts) override {
    const auto factory = services_->factory();
    if (factory && *factory != nullptr) return (*factory)->inspect(actor, facts);
    const llm::RequestPlace place{
        .host = facts.host, .port = facts.port, .method = facts.method, .path = facts.path};
    if (!llm::recognise(place, services_->shared().servers)) return nullptr;
    return std::make_unique<WaitingInspector>(services_, actor, facts);
  }

  // True of every API while it is not known yet whether its requests are looked into.
  bool http_only(std::string_view host) const override {
    const auto factory = services_->factory();
    if (factory && *factory != nullptr) return (*factory)->http_only(host);
    return llm::is_api_host(host, services_->shared().servers);
  }
  bool opens_tls(std::string_view) const override { return false; }

 private:
  std::shared_ptr<SessionServices> services_;
};

}  // namespace

std::shared_ptr<flows::HttpInspectorFactory> make_session_inspectors(
    std::shared_ptr<const LlmService::Shared> shared, std::string session_id,
    std::shared_ptr<llm::RecordSink> sink, std::shared_ptr<llm::Budget> budget) {
  return std::make_shared<SessionInspectors>(std::make_shared<SessionServices>(
      std::move(shared), std::move(session_id), std::move(sink), std::move(budget)));
}

}  // namespace agentsh
