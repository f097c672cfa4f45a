// Keys that are accepted because agentsh has them, and have no effect in this version. They are
// never passed over in silence: each one that is set is named with what happens instead, by
// `config validate` and when the daemon starts, and refused under security.strict.
//
// One row a key or block. Giving a key effect means deleting its row.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace agentsh::config {

struct Unenforced {
  std::string_view path;  // A key, or a block with everything below it.
  std::string_view note;  // What happens instead.
  // Not a word is said when `off` holds, because then there is nothing to enforce: "key=value" of a
  // key inside the block, "=value" of the key itself, several separated by blanks.
  std::string_view off = {};
  // Only these values of the key, separated by blanks, have no effect; the others do.
  std::string_view only = {};
};

std::span<const Unenforced> unenforced_keys();

// The row for a key that has this value: the one with the longest path. Null when the key has
// effect.
const Unenforced* find_unenforced(std::string_view path, std::string_view value);

}  // namespace agentsh::config
