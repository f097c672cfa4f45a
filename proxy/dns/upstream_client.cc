#include "proxy/dns/upstream_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace agentsh::dns {
namespace {

namespace asio = boost::asio;

std::string key_of(const UpstreamQuestion& question) {
  std::string key = question.host;
  key += ' ';
  key += to_string(question.type);
  key += question.dnssec ? " do" : "";
  for (const EdnsOption& option : question.options) {
    key += ' ';
    key += std::to_string(option.code);
    key += ':';
    key += std::to_string(option.value.size());
    key += ':';
    key += option.value;
  }
  return key;
}

}  // namespace

UpstreamClient::UpstreamClient(asio::any_io_executor executor, UpstreamOptions options,
                               std::shared_ptr<Cache> cache)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      cache_(std::move(cache)),
      servers_(options_.servers, options_.resolv_conf) {}

void UpstreamClient::ask(const UpstreamQuestion& question, Done done) {
  std::string key = key_of(question);
  if (const auto found = open_.find(key); found != open_.end()) {
    found->second.waiting.push_back(std::move(done));
    return;
  }
  if (stopped_ || open_.size() >= options_.max_in_flight) {
    auto answer = std::make_shared<Answer>(failed_answer(
        ErrorInfo::kNotReady, stopped_ ? "the DNS service is stopping"
                                       : "too many questions wait for upstream resolvers"));
    asio::post(executor_, [done = std::move(done), answer] { done(answer); });
    return;
  }
  auto task = std::make_shared<UpstreamTask>(executor_, question, servers_, options_);
  open_[key] = {task, {}};
  open_[key].waiting.push_back(std::move(done));
  asio::co_spawn(executor_, run(shared_from_this(), task, std::move(key), question),
                 asio::detached);
}

asio::awaitable<void> UpstreamClient::run(std::shared_ptr<UpstreamClient> self,
                                          std::shared_ptr<UpstreamTask> task, std::string key,
                                          UpstreamQuestion question) {
  Answer answer = co_await task->run();
  self->finish(key, question, std::move(answer));
}

void UpstreamClient::finish(const std::string& key, const UpstreamQuestion& question,
                            Answer answer) {
  answer.received = std::chrono::steady_clock::now();
  const auto shared = std::make_shared<const Answer>(std::move(answer));
  if (question.options.empty()) {
    cache_->insert({question.host, question.type, question.dnssec}, shared);
  }
  auto open = open_.extract(key);
  for (const Done& done : open.mapped().waiting) done(shared);
}

void UpstreamClient::stop() {
  stopped_ = true;
  for (auto& [key, open] : open_) open.task->stop();
}

}  // namespace agentsh::dns
