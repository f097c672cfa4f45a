// The result of one statement on its way to the client: columns are masked, values that detectors
// find are replaced, rows and bytes are counted and limited.
//
// A sans-io engine, driven by frames. The owner walks through what the server sends:
//
//   filter.begin(settings)                          // when the statement is forwarded
//   if (filter.passes_rows()) ...                   // nothing to do but forward and count tags
//   switch (filter.look(header)) {                  // at each frame's header
//     case Look::kForward: ...                      // as it is, body unseen
//     case Look::kWhole: collect the frame, then filter.take(frame, out): `out` goes to the client
//     case Look::kExceeded: ...                     // see below
//     case Look::kDrop: ...
//   }
//
// The extended protocol describes a result before it runs it: RowDescription (of Describe) and the
// formats (of Bind) belong to a portal or statement, so they may be given beforehand by describe()
// and the settings. A Describe of the portal within the same pipeline is seen by look() and take()
// like any other.
//
// Beyond a limit: look() says kExceeded once, before the row. The owner sends exceeded() (an
// ErrorResponse) to the client, asks the server to cancel, forwards nothing more of the client's
// pipeline up to its Sync, and goes on calling look(), which says kDrop until ReadyForQuery; that
// passes with the state which the server is really in. The cancellation's connection must have been
// closed by the server before the client's next statement is forwarded.
//
// While columns are masked or detectors are on, the details of errors and notices (which show rows)
// are left out. FunctionCall is to be refused then.
//
// Memory: without masks nothing is kept. With masks one row is held, at most kMaximumRow bytes.
// One thread.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "dlp/profile.h"
#include "dlp/vault.h"
#include "policies/model_database.h"
#include "sqlguard/codec/frame.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/results/masks.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

// What a filter does, for one statement.
struct ResultSettings {
  policy::DbLimits limits = {};                // Its statement_timeout is the owner's timer.
  std::string limited_by = {};                 // Name of the rule or service, for the sentence.
  std::shared_ptr<const MaskPlan> masks = {};  // Null: none.
  std::shared_ptr<const dlp::Profile> detectors = {};  // Null: none.
  std::shared_ptr<dlp::Vault> vault = {};              // Of the session; may be null.
  // Of Bind, in the extended protocol; else those of the RowDescription count.
  std::optional<std::vector<std::uint16_t>> formats = {};
};

class ResultFilter {
 public:
  static constexpr std::uint32_t kMaximumRow = 64 << 20;

  enum class Look : std::uint8_t { kForward, kWhole, kExceeded, kDrop };

  ResultFilter();
  ~ResultFilter();
  ResultFilter(ResultFilter&&) noexcept;
  ResultFilter& operator=(ResultFilter&&) noexcept;

  // A new statement. What was described before is forgotten.
  void begin(ResultSettings settings);
  // Columns of the result when no RowDescription will come with it (Execute after an earlier
  // Describe of the statement). Without either, rows that must be masked are refused.
  void describe(const RowDescription& columns);
  // Nothing is masked, looked for or limited: rows need not be shown.
  bool passes_rows() const;

  Look look(const FrameHeader& header);
  // The frame that look() wanted whole. Appends what the client gets, maybe nothing. An error: the
  // result cannot be masked; treat it as kExceeded with exceeded() saying why.
  Result<> take(const Frame& frame, std::vector<std::uint8_t>& out);
  // ErrorResponse: 53400 for a limit, 0A000 for what cannot be masked.
  std::vector<std::uint8_t> exceeded() const;

  std::uint64_t rows() const;
  std::uint64_t bytes() const;   // Of rows, as the server sent them.
  std::uint64_t masked() const;  // Values that were replaced.

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::sql
