// May a command of the session start in this directory? Asked of init, with a command's own rights
// and view, which nobody else has.
//
//   if (auto entered = co_await check_directory(session, "/srv/data"); !entered) ...
#pragma once

#include "appliance/sessions/session.h"
#include "base/result.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>

namespace agentsh {

boost::asio::awaitable<Result<>> check_directory(std::shared_ptr<Session> session,
                                                 std::string directory);

}  // namespace agentsh
