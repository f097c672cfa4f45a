// A SecretSource's answer as a coroutine.
#pragma once

#include "proxy/services/secret_source.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::services {

// Waits on `executor`, which the caller runs on; fails when its loop shuts down meanwhile. `source`
// is asked before this first suspends and not used afterwards.
boost::asio::awaitable<Result<std::shared_ptr<const SecretText>>> fetch_secret(
    SecretSource& source, std::string reference, std::vector<policy::SecretProvider> providers,
    boost::asio::any_io_executor executor);

}  // namespace agentsh::services
