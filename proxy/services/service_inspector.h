// What happens to one request of a session that has http_services: the decision of its service's
// rules, the secret put in and taken out again, placeholders kept from other hosts.
#pragma once

#include "proxy/services/session_services.h"

namespace agentsh::services {

// `service` is null for requests to other hosts, which are looked through for placeholders.
std::unique_ptr<flows::HttpInspector> make_service_inspector(
    std::shared_ptr<SessionServices> session, std::shared_ptr<const SessionServices::State> state,
    std::shared_ptr<const Service> service, const policy::Actor& actor,
    const policy::HttpFacts& facts);

}  // namespace agentsh::services
