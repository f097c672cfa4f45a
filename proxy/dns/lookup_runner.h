// Carries out what a Lookup asks for: upstream questions and approvals.
//
// Threads: of its executor; approvals come back from any thread and are posted there. Lifetime: the
// runner, its client and the engine outlive what they run; Service sees to it.
#pragma once

#include "proxy/dns/lookup.h"
#include "proxy/dns/upstream_client.h"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>

namespace agentsh::dns {

class LookupRunner : public std::enable_shared_from_this<LookupRunner> {
 public:
  using Done = std::function<void(const Lookup&)>;

  LookupRunner(boost::asio::any_io_executor executor, std::shared_ptr<UpstreamClient> upstream)
      : executor_(std::move(executor)), upstream_(std::move(upstream)) {}

  // Goes on from `step`, which is not kDone, and calls `done` once the lookup is done: later, on
  // the executor, or at once when the session has too many questions that wait.
  void run(std::shared_ptr<Lookup> lookup, Step step, Done done);

 private:
  void go_on(std::shared_ptr<Lookup> lookup, Step step, Done done);
  void ask_approval(std::shared_ptr<Lookup> lookup, Done done);

  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<UpstreamClient> upstream_;
};

}  // namespace agentsh::dns
