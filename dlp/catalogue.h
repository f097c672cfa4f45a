// Detectors from YAML: catalogue/README.md is the format. Reading is strict: what is not known,
// missing, twice there or out of range is an error with file, line and column, and a suggestion
// where a word was misspelt.
//
// Whether patterns compile is found by Scanner::build(); whether examples are found, by
// check_examples().
#pragma once

#include "base/result.h"
#include "dlp/detector.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

// `file` names the source in errors. All of its errors are reported, one a line.
Result<std::vector<Detector>> load_catalogue(std::string_view yaml, std::string_view file);

// What is shipped: every file of dlp/catalogue/, compiled in.
Result<std::vector<Detector>> builtin_catalogue();

// Words and phrases that are found as they are (a customer's names, code names of projects).
struct Dictionary {
  std::string name;  // The detector's id.
  std::string title;
  Kind kind = Kind::kPersonal;
  std::vector<std::string> words;
  bool case_sensitive = false;
  bool whole_words = true;  // "Bob" is not found in "Bobby".
};
// Errors: no words, empty or longer than kMaxMatch.
Result<Detector> dictionary_detector(const Dictionary& dictionary);

// A detector of one's own: a pattern in the catalogue's syntax.
Detector custom_detector(std::string name, std::string title, std::string pattern);

// What is wrong with the detectors' own examples: "github_token: example 2 is not found", one for
// each. Builds a scanner of each detector by itself.
std::vector<std::string> check_examples(std::span<const Detector> detectors);

}  // namespace agentsh::dlp
