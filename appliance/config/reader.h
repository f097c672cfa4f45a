// Reading a document against the table of keys: members of ServerConfig are filled, values of known
// keys without a member are checked for their shape, and everything else is an unknown key, with
// the nearest known one as a suggestion.
//
// Threads: one owner. Errors go to the context's Diagnostics.
#pragma once

#include "appliance/config/loaded_config.h"
#include "appliance/config/schema.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::config {

class ConfigReader {
 public:
  explicit ConfigReader(const Schema& schema) : schema_(schema) {}

  // Reads a whole file. What it sets is appended to `set`.
  void read(policy::YamlNode root, const std::string& file, ReadContext& context,
            std::vector<SetKey>& set);

  // Sets one key from the text of a variable or flag; elements of lists are separated by commas.
  // An unknown key is an error.
  void read_text(std::string_view path, const std::string& text, const Origin& origin,
                 ReadContext& context, std::vector<SetKey>& set);

 private:
  const Schema& schema_;
};

}  // namespace agentsh::config
