// Two streams joined after a protocol switch, with an inspector between them: what either sends
// goes through it, until one of them ends or the inspector refuses.
//
// Memory: nothing is read before what was read is written on. The end of either side ends both:
// protocols behind a switch (WebSocket) have an end of their own, which was said before.
#pragma once

#include "proxy/flows/buffer.h"
#include "proxy/flows/http_inspector.h"
#include "proxy/net/byte_stream.h"
#include "proxy/net/deadlines.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace agentsh::flows {

struct SwitchedEnd {
  std::optional<InspectorRefusal> refusal = {};
  std::optional<Error> error = {};
  std::uint64_t to_server = 0;  // Bytes that were written.
  std::uint64_t to_client = 0;
};

struct SwitchedSides {
  net::ByteStream& client;
  net::ByteStream& server;
  // What came from each already.
  Buffer& from_client;
  Buffer& from_server;
  // Set while what the inspector says last is written.
  net::Deadline& client_deadline;
  net::Deadline& server_deadline;
  std::chrono::milliseconds last_words;
};

// The streams are not closed on return.
boost::asio::awaitable<SwitchedEnd> relay_switched(SwitchedSides sides,
                                                   SwitchedInspector& inspector);

}  // namespace agentsh::flows
