// What is wrong with a file that people write (a policy, the server's configuration), collected so
// that all of it is reported at once, each with file, line, column, key and a suggestion.
//
//   Diagnostics problems("default.yaml");
//   problems.error(node.where(), "version", "must be a positive number");
//   if (!problems.ok()) return std::unexpected(problems.to_error());
//
// Threads: one owner.
#pragma once

#include "base/closest_word.h"
#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

enum class Severity { kError, kWarning, kNote };
std::string_view to_string(Severity severity);

// Line and column count from 1, in bytes; 0 when the place is the file as a whole.
struct SourcePosition {
  int line = 0;
  int column = 0;
  friend auto operator<=>(const SourcePosition&, const SourcePosition&) = default;
};

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  SourcePosition where;
  std::string key;         // "network_rules[2].decision"; empty for the file as a whole.
  std::string message;     // What is wrong, without a full stop.
  std::string suggestion;  // What was probably meant: a word to write instead. May be empty.
  std::string check;       // Name of the lint check that found it; empty for errors of the loader.
};

// `FILE:LINE:COL: key: message; did you mean "x"?`, with "warning: " or "note: " before the key of
// what is not an error.
std::string to_text(const Diagnostic& diagnostic);
// One JSON array of objects {file,line,column,severity,key,message,suggestion?,check?}.
std::string to_json(std::span<const Diagnostic> diagnostics);

class Diagnostics {
 public:
  // Errors beyond this many are counted, not kept.
  static constexpr std::size_t kMaximum = 200;

  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  void error(SourcePosition where, std::string_view key, std::string message,
             std::string suggestion = {});
  void warning(SourcePosition where, std::string_view key, std::string message,
               std::string suggestion = {});
  void add(Diagnostic diagnostic);

  const std::string& file() const { return file_; }
  bool ok() const { return errors_ == 0; }
  std::size_t errors() const { return errors_; }
  // In the order of the file.
  const std::vector<Diagnostic>& sorted() const { return found_; }
  // Every error, one a line. Precondition: !ok().
  Error to_error() const;

 private:
  std::string file_;
  std::vector<Diagnostic> found_;  // Sorted by place.
  std::size_t errors_ = 0;
};

}  // namespace agentsh::policy
