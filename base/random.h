// Random bytes and identifiers from the kernel's generator (getrandom(2)). Aborts if the kernel has
// none to give: an identifier or key that can be guessed is worse than no process.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace agentsh {

void fill_random(std::span<std::uint8_t> out);

// RFC 9562 version 4, lower case with hyphens.
std::string random_uuid();

// `length` characters of [a-z0-9], uniformly.
std::string random_name(std::size_t length);

}  // namespace agentsh
