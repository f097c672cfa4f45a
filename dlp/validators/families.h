// The validators by family; validators.cc puts them together into one table. Each family is one .cc
// whose functions are known by their names in the table only.
#pragma once

#include "dlp/validators/validator.h"

#include <span>

namespace agentsh::dlp {

std::span<const ValidatorEntry> randomness_validators();  // Entropy, classes, placeholders.
std::span<const ValidatorEntry> token_validators();       // What issuers put into their tokens.
std::span<const ValidatorEntry> contact_validators();     // E-mail, telephone, dates of birth.
std::span<const ValidatorEntry> financial_validators();   // Cards and accounts.
std::span<const ValidatorEntry> wallet_validators();      // Addresses and keys of chains.
std::span<const ValidatorEntry> americas_validators();    // Identity numbers by region.
std::span<const ValidatorEntry> west_europe_validators();
std::span<const ValidatorEntry> north_europe_validators();
std::span<const ValidatorEntry> east_europe_validators();
std::span<const ValidatorEntry> asia_pacific_validators();
std::span<const ValidatorEntry> middle_east_africa_validators();
std::span<const ValidatorEntry> document_validators();  // Machine readable zones.
std::span<const ValidatorEntry> device_validators();    // Vehicles, telephones, addresses.

}  // namespace agentsh::dlp
