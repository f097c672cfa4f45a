#include "appliance/llm/scanner_build.h"

#include "base/log.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <pthread.h>
#include <signal.h>

#include <utility>

namespace agentsh {
namespace asio = boost::asio;

ScannerBuild::ScannerBuild(Build build)
    : thread_([this, build = std::move(build)] { run(build); }) {}

ScannerBuild::~ScannerBuild() {
  thread_.join();
}

void ScannerBuild::run(const Build& build) {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "dlp-build");
  Result<Scanner> built = build();
  if (!built) log_error("dlp", "{}; requests to LLM APIs are refused", built.error().what);
  std::vector<std::function<void()>> waiters;
  {
    auto state = state_.lock();
    state->result = std::move(built);
    waiters.swap(state->waiters);
  }
  for (const auto& wake : waiters) wake();
}

std::optional<Result<ScannerBuild::Scanner>> ScannerBuild::result() const {
  return state_.lock()->result;
}

asio::awaitable<Result<ScannerBuild::Scanner>> ScannerBuild::wait(asio::any_io_executor executor) {
  // Never expires; it is cancelled on its own thread.
  auto timer =
      std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  {
    auto state = state_.lock();
    if (state->result) co_return *state->result;
    state->waiters.emplace_back(
        [executor, timer] { asio::post(executor, [timer] { timer->cancel(); }); });
  }
  static_cast<void>(co_await timer->async_wait(asio::as_tuple(asio::use_awaitable)));
  auto built = result();
  if (!built) co_return fail("the wait for the scanner was ended", std::errc::operation_canceled);
  co_return std::move(*built);
}

}  // namespace agentsh
