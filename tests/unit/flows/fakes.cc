#include "tests/unit/flows/fakes.h"

#include "base/json_reader.h"
#include "proxy/net/deadlines.h"
#include "tests/support/run_loop.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include <chrono>

namespace agentsh::flows {
namespace asio = boost::asio;
using namespace std::chrono_literals;

void FakePolicy::allow(std::string name) {
  rule([name](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
    if (facts.name != name) return {};
    return policy::Verdict::allow("allow-" + name);
  });
}

void FakePolicy::allow_address(std::string cidr) {
  rule([cidr](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
    if (!Cidr::parse(cidr)->contains(facts.address)) return {};
    return policy::Verdict::allow("allow-" + cidr);
  });
}

void FakePolicy::deny(std::string name, std::string message) {
  rule([name, message](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
    if (facts.name != name) return {};
    return policy::Verdict::deny("deny-" + name, message);
  });
}

policy::Verdict FakePolicy::judge(const policy::ConnectFacts& facts) const {
  for (const Rule& rule : rules_) {
    if (auto verdict = rule(facts)) return *verdict;
  }
  return policy::Verdict::deny(policy::kDefaultDenyNetwork, "no rule allows it");
}

std::string FakePolicy::settle(policy::Verdict verdict, policy::ApprovalRequest request,
                               audit::Event event, Callback done) {
  if (refuse_records) verdict = policy::Verdict::deny("audit-unavailable", "no record");
  record(std::move(event), verdict);
  if (!verdict.needs_approval()) {
    done(std::move(verdict));
    return {};
  }
  waiting_["approval-1"] = done;
  if (on_approval) on_approval(std::move(request), std::move(verdict), std::move(done));
  return "approval-1";
}

void FakePolicy::abandon(const std::string& approval_id) {
  abandoned.push_back(approval_id);
  const auto found = waiting_.find(approval_id);
  if (found == waiting_.end()) return;
  Callback done = std::move(found->second);
  waiting_.erase(found);
  done(policy::Verdict::deny("approval", "abandoned"));
}

void FakePolicy::record(audit::Event event, const policy::Verdict& verdict) {
  event.policy.emplace();
  event.policy->decision = to_string(verdict.decision());
  event.policy->effective_decision = to_string(verdict.effective());
  event.policy->rule = verdict.rule();
  event.policy->message = verdict.message();
  events.push_back(std::move(event));
}

std::vector<std::string> FakePolicy::types() const {
  std::vector<std::string> types;
  for (const audit::Event& event : events) types.push_back(event.type);
  return types;
}

const audit::Event* FakePolicy::event(std::string_view type, std::size_t index) const {
  for (const audit::Event& event : events) {
    if (event.type == type && index-- == 0) return &event;
  }
  ADD_FAILURE() << "there is no such event: " << type;
  static const audit::Event kNone("none");
  return &kNone;
}

std::string FakePolicy::field(const audit::Event& event, std::string_view name) {
  for (const auto& [key, value] : event.fields) {
    if (key != name) continue;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    return "?";
  }
  return {};
}

void FakeLeases::add(std::string name, std::string_view address) {
  leases_.emplace_back(std::move(name), *IpAddress::parse(address));
}

std::vector<std::string> FakeLeases::names_of(const IpAddress& address) const {
  std::vector<std::string> names;
  for (const auto& [name, leased] : leases_) {
    if (leased == address) names.push_back(name);
  }
  return names;
}

bool FakeLeases::is_leased(std::string_view name, const IpAddress& address) const {
  for (const auto& [leased, at] : leases_) {
    if (leased == name && at == address) return true;
  }
  return false;
}

std::shared_ptr<void> FakeLeases::hold(std::string_view name, const IpAddress& address) const {
  if (!is_leased(name, address)) return nullptr;
  ++held;
  return std::shared_ptr<void>(&held, [this](void*) { --held; });
}

void FakeResolver::knows(const std::string& host, std::vector<std::string> addresses) {
  Resolution found;
  found.status = Resolution::Status::kFound;
  for (const std::string& address : addresses) {
    found.addresses.push_back(*IpAddress::parse(address));
  }
  answers.insert_or_assign(host, std::move(found));
}

asio::awaitable<Resolution> FakeResolver::resolve(std::string host, policy::Actor) {
  const auto found = answers.find(host);
  Resolution unknown;
  unknown.status = Resolution::Status::kNoSuchName;
  unknown.reason = "no such name";
  if (found == answers.end()) co_return unknown;
  for (const IpAddress& address : found->second.addresses) leases_.add(host, address.to_string());
  co_return found->second;
}

asio::awaitable<Result<std::vector<IpAddress>>> FakeResolver::look_up(std::string host) {
  const auto found = answers.find(host);
  if (found == answers.end()) co_return fail("no such name");
  co_return found->second.addresses;
}

namespace {

asio::awaitable<std::string> read_line(net::ByteStream& stream) {
  std::string line;
  std::uint8_t byte = 0;
  while (true) {
    const Result<std::size_t> got = co_await net::read(stream, {&byte, 1});
    if (!got || *got == 0) co_return "closed";
    if (byte == '\n') co_return line;
    line += static_cast<char>(byte);
  }
}

}  // namespace

asio::awaitable<Result<TlsLeg>> FakeTls::accept(std::unique_ptr<net::ByteStream> client,
                                                TlsAcceptRequest request) {
  std::array<std::uint8_t, 5> header{};
  for (std::uint8_t& byte : header) {
    const auto got = co_await net::read(*client, {&byte, 1});
    if (!got || *got == 0) co_return fail("no hello");
  }
  std::vector<std::uint8_t> rest(static_cast<std::size_t>(header[3] << 8 | header[4]));
  for (std::uint8_t& byte : rest) {
    const auto got = co_await net::read(*client, {&byte, 1});
    if (!got || *got == 0) co_return fail("half a hello");
  }
  if (!accept_error.empty()) co_return fail(accept_error);
  const std::string hello = fmt::format("HELLO {}\n", request.leaf_name);
  if (Result<> sent = co_await net::write(*client, as_bytes(hello)); !sent) {
    co_return std::unexpected(sent.error());
  }
  TlsLeg leg;
  leg.stream = std::move(client);
  leg.version = "TLSv1.3";
  co_return leg;
}

asio::awaitable<Result<TlsLeg>> FakeTls::connect(std::unique_ptr<net::ByteStream> server,
                                                 TlsConnectRequest request) {
  const std::string hello = fmt::format("CONNECT {}\n", request.host);
  net::StreamDeadline deadline(*server);
  deadline.expires_after(request.timeout);
  if (Result<> sent = co_await net::write(*server, as_bytes(hello)); !sent) {
    co_return std::unexpected(sent.error());
  }
  const std::string answer = co_await read_line(*server);
  if (deadline.expired()) co_return fail("no handshake in time", std::errc::timed_out);
  if (answer != "OK") co_return fail(answer);
  TlsLeg leg;
  leg.stream = std::move(server);
  leg.version = "TLSv1.3";
  leg.subject = "CN=" + request.host;
  leg.issuer = "CN=Test CA";
  co_return leg;
}

asio::awaitable<Result<ServerConnection>> FakeConnector::connect(asio::any_io_executor executor,
                                                                 UpstreamTarget target,
                                                                 ServerUse use) {
  const std::string where =
      target.unix_path.empty() ? target.endpoint.to_string() : target.unix_path;
  if (const auto found = failures.find(where); found != failures.end()) {
    if (found->second == "timeout") co_return fail("no answer", std::errc::timed_out);
    co_return fail(found->second, std::errc::connection_refused);
  }
  auto pair = net::stream_pair(executor);
  if (!pair) co_return std::unexpected(pair.error());
  far_ends.push_back({std::move(pair->second), std::move(target), use});
  ServerConnection connection;
  connection.stream = std::move(pair->first);
  if (forward_proxy && use == ServerUse::kPlainHttp) {
    connection.forward_proxy = true;
    connection.proxy_authorization = "Basic eA==";
  }
  co_return connection;
}

FlowHarness::FlowHarness() {
  options.first_byte = 60ms;
  options.client_watch = 50ms;
}

// Whatever still waits is ended, so that every frame is destroyed in order.
FlowHarness::~FlowHarness() {
  if (client_ != nullptr) client_->close();
  connector->far_ends.clear();
  if (!ended_) finish();
}

void FlowHarness::start(Start start) {
  auto pair = net::stream_pair(loop.get_executor());
  ASSERT_TRUE(pair);
  client_ = std::move(pair->first);
  auto context = std::make_shared<FlowContext>();
  context->policy = policy;
  context->leases = leases;
  context->resolver = resolver;
  context->tls = tls;
  context->connector = connector;
  context->inspectors = inspectors;
  context->services = services;
  context->options = options;
  FlowInput input;
  input.client = std::move(pair->second);
  input.destination = *Endpoint::parse(start.destination);
  input.actor = {.command_id = "cmd-1", .pid = 42, .program = "curl"};
  input.explicit_proxy = start.explicit_proxy;
  input.service_listener = start.service_listener;
  asio::co_spawn(loop, run_flow(std::move(context), std::move(input)),
                 [this](const std::exception_ptr& failure) {
                   EXPECT_FALSE(failure) << "the flow threw";
                   ended_ = true;
                 });
}

void FlowHarness::until(const std::function<bool()>& condition) {
  const auto patience = std::chrono::steady_clock::now() + 10s;
  loop.restart();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > patience) {
      FAIL() << "waited for 10 s";
    }
    if (loop.stopped()) loop.restart();
    loop.run_one_for(50ms);
  }
}

void FlowHarness::settle() {
  loop.restart();
  while (loop.poll() > 0) {
  }
}

void FlowHarness::finish() {
  until([this] { return ended_; });
}

FarEnd FlowHarness::server() {
  until([this] { return has_server(); });
  if (!has_server()) return {};
  FarEnd end = std::move(connector->far_ends.front());
  connector->far_ends.pop_front();
  return end;
}

void FlowHarness::send_some(net::ByteStream& stream, std::string_view& text) {
  while (!text.empty()) {
    const Bytes rest = as_bytes(text);
    const net::IoResult result = stream.try_write({&rest, 1});
    if (result.status != net::IoStatus::kOk) return;
    text.remove_prefix(result.bytes);
  }
}

void FlowHarness::read_some(net::ByteStream& stream, std::string& text) {
  std::array<std::uint8_t, 16384> room{};
  while (true) {
    const net::IoResult got = stream.try_read(room);
    if (got.status != net::IoStatus::kOk) return;
    text += as_text(Bytes(room).first(got.bytes));
  }
}

void FlowHarness::send(net::ByteStream& stream, std::string_view text) {
  until([&] {
    send_some(stream, text);
    return text.empty();
  });
}

std::string FlowHarness::read(net::ByteStream& stream, std::size_t size) {
  std::string text;
  until([&] {
    std::vector<std::uint8_t> room(size - text.size());
    const net::IoResult got = stream.try_read(room);
    if (got.status == net::IoStatus::kOk) text += as_text(Bytes(room).first(got.bytes));
    return got.status == net::IoStatus::kEnd || got.status == net::IoStatus::kError ||
           text.size() == size;
  });
  return text;
}

std::string FlowHarness::read_head(net::ByteStream& stream) {
  std::string text;
  while (!text.ends_with("\r\n\r\n")) {
    const std::string byte = read(stream, 1);
    if (byte.empty()) break;
    text += byte;
  }
  return text;
}

std::string FlowHarness::read_all(net::ByteStream& stream) {
  std::string text;
  until([&] {
    std::array<std::uint8_t, 4096> room{};
    const net::IoResult got = stream.try_read(room);
    if (got.status == net::IoStatus::kOk) text += as_text(Bytes(room).first(got.bytes));
    if (got.status == net::IoStatus::kError) text += '!';
    return got.status == net::IoStatus::kEnd || got.status == net::IoStatus::kError;
  });
  return text;
}

std::string client_hello(std::string_view name) {
  ByteWriter extensions;
  if (!name.empty()) {
    extensions.u16(0);  // server_name
    extensions.u16(static_cast<std::uint16_t>(name.size() + 5));
    extensions.u16(static_cast<std::uint16_t>(name.size() + 3));
    extensions.u8(0);
    extensions.u16(static_cast<std::uint16_t>(name.size()));
    extensions.text(name);
  }
  ByteWriter body;
  body.u16(0x0303);
  body.text(std::string(32, 'r'));
  body.u8(0);
  body.u16(2);
  body.u16(0x1301);
  body.u8(1);
  body.u8(0);
  body.u16(static_cast<std::uint16_t>(extensions.size()));
  body.bytes(extensions.view());
  ByteWriter record;
  record.u8(0x16);
  record.u16(0x0301);
  record.u16(static_cast<std::uint16_t>(body.size() + 4));
  record.u8(1);
  record.u24(static_cast<std::uint32_t>(body.size()));
  record.bytes(body.view());
  return std::string(as_text(record.view()));
}

std::string error_code_of(std::string_view response) {
  const std::size_t body = response.find("\r\n\r\n");
  if (body == std::string_view::npos) return "no head";
  const auto json = JsonDocument::parse(response.substr(body + 4));
  if (!json) return "no JSON";
  const JsonValue error = json->root().member("error");
  return fmt::format("{} {}", error.integer("status"), error.text("code"));
}

}  // namespace agentsh::flows
