// Checks that decide whether text which fits a detector's pattern is what the detector is for: the
// Luhn sum of a card number, the CRC at the end of a GitHub token, the entropy of a password.
//
// A validator is a pure function of the value and of the parameters that the catalogue gives it
// ("entropy(3.5)", "length(20, 40)", "not_word(example, changeme)"). It runs on hits only, so it
// may cost a microsecond, but its time must be linear in the value. The value is bytes as they
// stand in the text: separators included, not necessarily UTF-8, never trusted.
//
// The table is in validators.cc; a detector that names a validator which is not in it, or gives it
// too few or too many parameters, does not load.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

struct ValidatorParameters {
  std::vector<double> numbers;     // Those that read as a number, in order.
  std::vector<std::string> words;  // The others, in order.
};

using ValidatorFunction = bool (*)(std::string_view value, const ValidatorParameters& parameters);

struct ValidatorEntry {
  std::string_view name;
  ValidatorFunction function = nullptr;
  unsigned min_parameters = 0;
  unsigned max_parameters = 0;
  std::string_view what;  // One line for `agentsh dlp detectors --validators`.
};

// Every validator, sorted by name.
std::span<const ValidatorEntry> validators();

// A validator with its parameters, ready to be called. Threads: any.
class Validator {
 public:
  // From the catalogue's spelling: "luhn", "entropy(3.5)". Errors: no such name (with the nearest
  // one), the wrong number of parameters, a bracket that does not close.
  static Result<Validator> parse(std::string_view text);

  bool operator()(std::string_view value) const { return entry_->function(value, parameters_); }
  std::string_view name() const { return entry_->name; }
  const ValidatorParameters& parameters() const { return parameters_; }

 private:
  Validator(const ValidatorEntry& entry, ValidatorParameters parameters)
      : entry_(&entry), parameters_(std::move(parameters)) {}
  const ValidatorEntry* entry_;
  ValidatorParameters parameters_;
};

}  // namespace agentsh::dlp
