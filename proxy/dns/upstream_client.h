// Asks upstream resolvers: one task per question, and the same question asked meanwhile joins it.
// What comes back goes into the shared cache.
//
// Threads: of its executor. Lifetime: stop() before the executor ends; what is open then calls back
// with a failure.
#pragma once

#include "proxy/dns/cache.h"
#include "proxy/dns/upstream_task.h"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::dns {

class UpstreamClient : public std::enable_shared_from_this<UpstreamClient> {
 public:
  using Done = std::function<void(AnswerPtr)>;

  UpstreamClient(boost::asio::any_io_executor executor, UpstreamOptions options,
                 std::shared_ptr<Cache> cache);

  // Calls `done` once, later, on the executor.
  void ask(const UpstreamQuestion& question, Done done);

  // Ends open questions with a failure. ask() after it fails at once.
  void stop();

  std::size_t in_flight() const { return open_.size(); }

 private:
  struct Open {
    std::shared_ptr<UpstreamTask> task;
    std::vector<Done> waiting;
  };
  static boost::asio::awaitable<void> run(std::shared_ptr<UpstreamClient> self,
                                          std::shared_ptr<UpstreamTask> task, std::string key,
                                          UpstreamQuestion question);
  void finish(const std::string& key, const UpstreamQuestion& question, Answer answer);

  const boost::asio::any_io_executor executor_;
  const UpstreamOptions options_;
  const std::shared_ptr<Cache> cache_;
  UpstreamServers servers_;
  std::map<std::string, Open> open_;
  bool stopped_ = false;
};

}  // namespace agentsh::dns
