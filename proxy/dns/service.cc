#include "proxy/dns/service.h"

#include <fmt/format.h>

#include <utility>

namespace agentsh::dns {

std::shared_ptr<Service> Service::create(boost::asio::any_io_executor executor,
                                         std::shared_ptr<Engine> engine, UpstreamOptions upstream,
                                         TcpLimits tcp_limits) {
  return std::shared_ptr<Service>(
      new Service(std::move(executor), std::move(engine), std::move(upstream), tcp_limits));
}

Service::Service(boost::asio::any_io_executor executor, std::shared_ptr<Engine> engine,
                 UpstreamOptions upstream, TcpLimits tcp_limits)
    : executor_(std::move(executor)),
      tcp_limits_(tcp_limits),
      upstream_(
          std::make_shared<UpstreamClient>(executor_, std::move(upstream), engine->shared_cache())),
      runner_(std::make_shared<LookupRunner>(executor_, upstream_)),
      handler_(std::make_shared<QueryHandler>(engine, runner_)),
      resolver_(executor_, engine, runner_) {}

Result<> Service::add(std::shared_ptr<Session> session, SessionSockets sockets) {
  if (sessions_.contains(session->id())) {
    return fail(fmt::format("session {} is served already", session->id()), std::errc::file_exists);
  }
  Served served{session, {}, nullptr};
  for (UniqueFd& socket : sockets.udp) {
    auto server = UdpServer::open(executor_, std::move(socket), session, handler_);
    if (!server) return std::unexpected(with_context(server.error(), "session " + session->id()));
    served.udp.push_back(std::move(*server));
  }
  served.tcp = std::make_shared<TcpServer>(executor_, session, handler_, tcp_limits_);
  for (UniqueFd& socket : sockets.tcp) {
    if (auto listening = served.tcp->listen(std::move(socket)); !listening) {
      served.stop();
      return std::unexpected(with_context(listening.error(), "session " + session->id()));
    }
  }
  for (const auto& server : served.udp) server->start();
  sessions_.emplace(session->id(), std::move(served));
  return {};
}

void Service::adopt(const std::string& session_id, UniqueFd connection) {
  const auto found = sessions_.find(session_id);
  if (found != sessions_.end()) found->second.tcp->adopt(std::move(connection));
}

void Service::remove(const std::string& session_id) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return;
  found->second.stop();
  sessions_.erase(found);
  handler_->forget(session_id);
}

void Service::stop() {
  while (!sessions_.empty()) remove(std::string(sessions_.begin()->first));
  upstream_->stop();
}

void Service::Served::stop() {
  for (const auto& server : udp) server->stop();
  tcp->stop();
}

}  // namespace agentsh::dns
