// What nftables rejected in a session, told by netfilter's log: destination, protocol and uid of
// packets that the wall of nft_ruleset.h turned away. The nftables counterpart of the refusals of
// redirector.h.
//
// The log socket is opened inside the namespace (open_refusal_log() in nft_apply.h) and read
// outside. The kernel drops messages when the reader is slow; how often is counted in `overflows`,
// not what. Threads: one. Untrusted: the bytes are packets of the session.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/bpf/kernel_refusal.h"

#include <cstdint>
#include <span>
#include <vector>

namespace agentsh::bpf {

class NftRefusalLog {
 public:
  // `listeners` are the addresses of the session's listeners, to tell a direct connection from the
  // rest.
  NftRefusalLog(UniqueFd socket, std::vector<IpAddress> listeners)
      : socket_(std::move(socket)), listeners_(std::move(listeners)) {}

  int fd() const { return socket_.get(); }  // Readable when there is something.

  // Reads what is there without waiting and reports it, equal refusals together. Their pid is 0.
  Result<> read(const RefusalCallback& report);

  std::uint64_t overflows() const { return overflows_; }

 private:
  UniqueFd socket_;
  std::vector<IpAddress> listeners_;
  std::uint64_t overflows_ = 0;
};

// The refusals in one datagram of the log socket; malformed parts are skipped.
std::vector<KernelRefusal> parse_refusal_log(Bytes datagram, std::span<const IpAddress> listeners);

}  // namespace agentsh::bpf
