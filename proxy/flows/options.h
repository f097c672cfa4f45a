// Times and sizes of flows. Streams have no limit on their total time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace agentsh::flows {

struct FlowOptions {
  using Milliseconds = std::chrono::milliseconds;

  // How long a client may be silent before we believe that the server speaks first. Connections to
  // client_first_ports wait for the client in any case.
  Milliseconds first_byte{250};
  std::vector<std::uint16_t> client_first_ports = {80, 443, 8080, 8443};

  Milliseconds hello{10'000};            // A whole ClientHello, then the client's handshake.
  Milliseconds request_head{30'000};     // From its first byte.
  Milliseconds keep_alive{75'000};       // Between requests.
  Milliseconds connect{10'000};          // To a server, TLS included.
  Milliseconds response_head{900'000};   // Models think for minutes.
  Milliseconds write_stall{300'000};     // A peer that takes nothing.
  Milliseconds body_stall{600'000};      // A response of which no more comes; 0: for ever. Streams
                                         // of events may be silent for as long as they like.
  Milliseconds client_watch{500};        // A wait for the server longer than this is worth to
                                         // watch whether the client is still there.
  Milliseconds upstream_hold{2'000};     // An idle client keeps its server connection this long,
  Milliseconds upstream_idle{60'000};    // then it is in the pool, where it ends after this.
  Milliseconds raw_half_closed{60'000};  // A raw relay with one direction ended.

  std::size_t pool_per_target = 32;
  std::size_t pool_total = 256;

  // Loopback ports of the host that CONNECT and absolute-form requests may name; all other loopback
  // would be the daemon's own.
  std::vector<std::uint16_t> host_ports;
  bool has_host_port(std::uint16_t port) const {
    return std::ranges::find(host_ports, port) != host_ports.end();
  }
};

}  // namespace agentsh::flows
