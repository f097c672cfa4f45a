// Rows of COPY ... TO STDOUT, in its three formats, on their way through: fields are handed to an
// editor, everything else passes. Rows may be spread over messages in any way. Internal to the
// results.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "sqlguard/results/masks.h"
#include "sqlguard/results/value_editor.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class CopyRows {
 public:
  // What stands in a field's place: kNull, or kReplaced with the value appended to the string. The
  // value is without escapes; `column` counts from 0.
  using Edit =
      std::function<ValueEditor::Outcome(std::size_t column, Bytes value, std::string& out)>;

  // `columns`: how many each row must have; 0 when any number will do.
  CopyRows(CopyFormat format, std::size_t columns, Edit edit);

  // The next piece; whole rows, edited, are appended to `out`. Fails on what is not of the format.
  Result<> push(Bytes piece, std::string& out);
  // Fails when a row is not complete.
  Result<> finish() const;
  std::size_t held() const { return rest_.size(); }

 private:
  // Takes one row from the front of `rest`: how many bytes, 0 when it is not complete.
  Result<std::size_t> text_row(std::string_view rest, std::string& out);
  Result<std::size_t> csv_row(std::string_view rest, std::string& out);
  Result<std::size_t> binary_row(std::string_view rest, std::string& out);
  Result<> check_columns(std::size_t columns) const;

  CopyFormat format_;
  std::size_t columns_;
  Edit edit_;
  std::string rest_;
  std::string value_, edited_;  // Reused.
  bool header_passed_ = false;
  bool at_end_ = false;
};

}  // namespace agentsh::sql
