#include "proxy/flows/upstream.h"

#include <boost/asio/query.hpp>
#include <fmt/format.h>

#include <array>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds kSweepInterval{5'000};
}

std::string upstream_key(std::string_view session, const UpstreamTarget& target,
                         std::string_view tls_name) {
  // A path cannot be mistaken for an endpoint, and no part holds a line feed.
  return fmt::format("{}\n{}\n{}\n{}", session,
                     target.unix_path.empty() ? target.endpoint.to_string() : target.unix_path,
                     target.name, tls_name);
}

Upstream::Upstream(ServerConnection connection, std::string key)
    : connection_(std::move(connection)), key_(std::move(key)), deadline_(*connection_.stream) {}

bool Upstream::is_alive() {
  if (!in.empty()) return false;
  std::array<std::uint8_t, 1> scrap;
  return connection_.stream->try_read(scrap).status == net::IoStatus::kWouldBlock;
}

UpstreamPool& UpstreamPool::of(const asio::any_io_executor& executor) {
  return asio::use_service<UpstreamPool>(asio::query(executor, asio::execution::context));
}

UpstreamPool::UpstreamPool(asio::execution_context& context) : service(context), context_(context) {
  // Services are destroyed in the reverse order of their making: what idle connections use must
  // have been made before.
  asio::use_service<net::Deadlines>(context_);
}

std::unique_ptr<Upstream> UpstreamPool::take(const std::string& key) {
  const auto found = idle_.find(key);
  if (found == idle_.end()) return nullptr;
  std::deque<Idle>& stock = found->second;
  while (!stock.empty()) {
    std::unique_ptr<Upstream> upstream = std::move(stock.back().upstream);
    stock.pop_back();
    --size_;
    if (upstream->is_alive()) return upstream;
  }
  return nullptr;
}

void UpstreamPool::give(std::unique_ptr<Upstream> upstream, const Limits& limits) {
  upstream->deadline().clear();
  upstream->in.release_if_empty();
  if (size_ >= limits.total) return;
  std::deque<Idle>& stock = idle_[upstream->key()];
  if (stock.size() >= limits.per_key) {
    stock.pop_front();
    --size_;
  }
  const auto now = std::chrono::steady_clock::now();
  if (sweep_ == nullptr) {
    auto& deadlines = net::Deadlines::of(upstream->stream().executor());
    sweep_ = std::make_unique<net::Deadline>(
        deadlines, [](void* pool) { static_cast<UpstreamPool*>(pool)->sweep(); }, this);
  }
  stock.push_back({std::move(upstream), now + limits.idle});
  if (++size_ == 1) sweep_->expires_after(kSweepInterval);
}

void UpstreamPool::sweep() {
  const auto now = std::chrono::steady_clock::now();
  for (auto entry = idle_.begin(); entry != idle_.end();) {
    std::deque<Idle>& stock = entry->second;
    // Oldest first; what the server has closed goes too, wherever it stands.
    std::erase_if(stock, [&](Idle& one) { return one.until <= now || !one.upstream->is_alive(); });
    entry = stock.empty() ? idle_.erase(entry) : std::next(entry);
  }
  size_ = 0;
  for (const auto& [key, stock] : idle_) size_ += stock.size();
  if (size_ > 0) sweep_->expires_after(kSweepInterval);
}

}  // namespace agentsh::flows
