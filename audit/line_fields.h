// The members of an event's JSON that queries filter by, read from one line of the log.
//
// A scanner of its own rather than a JSON document: the index reads every line that is ever
// written, and needs a dozen strings of it. It accepts some texts that are not JSON; it never reads
// outside the line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace agentsh::audit {

struct LineFields {
  std::string id;
  std::string timestamp;
  std::string type;
  std::string session_id;
  std::string command_id;
  std::string program;
  std::string path;
  std::string domain;
  std::string remote;
  std::string operation;
  std::string decision;            // policy.decision
  std::string effective_decision;  // policy.effective_decision
  std::string rule;                // policy.rule
};

enum class ReadUpTo : std::uint8_t {
  kEnd,
  kFields,  // The member `fields`: the recorder writes everything above before it.
};

// Fills `out`, clearing what is absent. False when `json` is not an object that can be walked, as
// far as it is read.
bool read_line_fields(std::string_view json, LineFields& out, ReadUpTo end = ReadUpTo::kEnd);

}  // namespace agentsh::audit
