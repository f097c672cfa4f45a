// What a request says beside its body: the query of its path and its header fields are looked
// through like its texts. Left alone are the provider's credentials, which go to it by design, and
// what HTTP itself needs.
//
// Threads: one owner.
#pragma once

#include "dlp/redactor.h"
#include "proxy/llm/refusal.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::llm {

struct HeadField {
  std::string_view name;
  std::string_view value;
};

// What is to be changed. Empty: nothing.
struct HeadChanges {
  std::string target;                                       // Path and query.
  std::vector<std::pair<std::size_t, std::string>> values;  // By index of the field.
};

class HeadEditor {
 public:
  HeadEditor(std::shared_ptr<const dlp::Profile> profile, std::shared_ptr<dlp::Vault> vault);

  // A refusal: something must not leave.
  std::optional<Refusal> edit(std::string_view target, std::span<const HeadField> fields,
                              HeadChanges& changes);
  const dlp::Redactor& redactor() const { return redactor_; }

 private:
  bool finds_anything(std::string_view target, std::span<const HeadField> fields);
  std::string edit_value(std::string_view place, std::string_view name, std::string_view text);
  void edit_query(std::string_view target, HeadChanges& changes);

  dlp::Redactor probe_;     // Whether there is anything at all, in one scan.
  dlp::Redactor redactor_;  // Where it is.
};

}  // namespace agentsh::llm
