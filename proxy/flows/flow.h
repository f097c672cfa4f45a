// What happens to a connection that the redirect brought to us, from its first byte to its end.
//
//   worker.tasks().spawn("flow", flows::run_flow(context, {std::move(socket), original, actor}));
//
// Whatever goes wrong ends this connection only; the session's policy hears of it. Cancellation (a
// worker that shuts down) ends it at its next wait.
#pragma once

#include "proxy/flows/connection.h"
#include "proxy/net/socket_stream.h"

namespace agentsh::flows {

struct FlowInput {
  std::unique_ptr<net::SocketStream> client;
  Endpoint destination;  // Where the client meant to connect.
  policy::Actor actor;
  bool explicit_proxy = false;    // It meant to connect to us.
  bool service_listener = false;  // It meant to connect to the policy's services.
};

boost::asio::awaitable<void> run_flow(std::shared_ptr<const FlowContext> context, FlowInput input);

}  // namespace agentsh::flows
