#include "proxy/flows/sniff.h"

#include "proxy/flows/sniffer.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"

#include <algorithm>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;

namespace {

FirstBytes first_bytes(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTls:
      return FirstBytes::kTls;
    case Protocol::kHttp:
      return FirstBytes::kHttp;
    case Protocol::kPostgres:
      return FirstBytes::kPostgres;
    case Protocol::kRaw:
      break;
  }
  return FirstBytes::kRaw;
}

bool client_speaks_first(const Connection& connection) {
  if (connection.explicit_proxy && !connection.in_tunnel) return true;
  return std::ranges::count(connection.options().client_first_ports, connection.destination.port) >
         0;
}

}  // namespace

asio::awaitable<FirstBytes> sniff_client(Connection& connection) {
  net::StreamDeadline deadline(*connection.client);
  deadline.expires_after(connection.options().request_head);
  bool may_be_silent = !client_speaks_first(connection);
  while (true) {
    if (!connection.start.empty()) {
      const Sniffed sniffed = sniff(connection.start.data());
      if (sniffed.match == Match::kYes) co_return first_bytes(sniffed.protocol);
      may_be_silent = false;
    }
    const std::span<std::uint8_t> room = connection.start.room();
    const IoResult got = connection.client->try_read(room);
    if (got.status == IoStatus::kOk) {
      connection.start.added(got.bytes);
      connection.bytes_sent += got.bytes;
      continue;
    }
    if (got.status != IoStatus::kWouldBlock) co_return FirstBytes::kClosed;
    connection.start.release_if_empty();
    if (may_be_silent) {
      const auto patience = connection.options().first_byte;
      if (!co_await readable_within(*connection.client, patience)) co_return FirstBytes::kSilent;
    } else if (!co_await connection.client->wait(got.want)) {
      co_return FirstBytes::kClosed;
    }
  }
}

}  // namespace agentsh::flows
