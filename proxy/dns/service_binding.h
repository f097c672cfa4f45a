// What an HTTPS or SVCB record may say to a client behind this appliance (RFC 9460).
//
// TLS is opened on the way, so a client must not be offered what would hide the name or what the
// proxy does not speak: `ech` is taken out, `alpn` is reduced, address hints are taken out (an
// address is given only by A and AAAA answers, which make a lease), and so is every parameter that
// is not known here. A record that would lead to another name, or cannot be used without what was
// taken out, is dropped: clients fall back to A and AAAA (RFC 9460 §3).
#pragma once

#include "proxy/dns/record.h"

#include <optional>
#include <span>
#include <string>

namespace agentsh::dns {

// The record's data as it may be given, or nothing when it must be dropped. `owner` is the record's
// own name, `alpn` the protocol ids that the proxy speaks towards clients.
std::optional<SvcbData> restrict_service_binding(const SvcbData& data, const Name& owner,
                                                 std::span<const std::string> alpn);

}  // namespace agentsh::dns
