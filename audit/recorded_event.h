// A rendered event as subscribers and queries see it.
#pragma once

#include <cstdint>
#include <string>

namespace agentsh::audit {

struct RecordedEvent {
  std::uint64_t sequence = 0;  // Of the chain.
  std::string session_id;
  std::string command_id;
  std::string type;
  std::string decision;  // policy.decision or empty.
  std::string json;      // Without the integrity member.
};

}  // namespace agentsh::audit
