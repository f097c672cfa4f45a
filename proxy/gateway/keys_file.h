// Virtual keys as JSON: the file they are kept in, and what the control API shows and takes.
#pragma once

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "proxy/gateway/keys.h"

namespace agentsh::gateway {

// The file's content. Errors say which key is wrong and how.
Result<std::vector<VirtualKey>> parse_keys(std::string_view text);
std::string render_keys(const std::vector<VirtualKey>& keys);

// {"name","owner","expires","models":[],"budgets":[],"requests_per_minute",...,"dlp"}: a key as it
// is asked for. Members that it does not know are errors.
Result<KeySpec> parse_key_spec(JsonValue object);
// The members of parse_key_spec(), into an object that is open.
void write_key_spec(const KeySpec& spec, JsonWriter& json);

}  // namespace agentsh::gateway
