// The ledger: one row for each exchange with an LLM, in an SQLite database (WAL, 0600).
//
// add() only queues; a thread of the ledger's own writes in batches. What a killed process had
// queued is in the audit trail, from which catch_up() completes the ledger at the next start. A
// damaged database is put aside and made anew from there.
//
//   auto ledger = Ledger::open(directory + "/ledger.sqlite");
//   (*ledger)->catch_up(recorder);
//   (*ledger)->add(to_row(record));
//   auto report = (*ledger)->report({.by = GroupBy::kModel});
//
// Threads: any. add() does no I/O; the others read the database on the caller's thread.
#pragma once

#include "base/result.h"
#include "proxy/gateway/budget_book.h"
#include "proxy/gateway/ledger_row.h"
#include "proxy/gateway/usage_report.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace agentsh::audit {
class Recorder;
}

namespace agentsh::gateway {

class Ledger {
 public:
  static Result<std::unique_ptr<Ledger>> open(std::string file);
  // Writes what is queued.
  ~Ledger();

  void add(LedgerRow row);
  // Waits until everything that was added before is in the database. False when the disk refuses
  // or `limit` is over.
  bool flush(std::chrono::milliseconds limit = std::chrono::seconds(5));

  // Takes from the audit trail what the ledger does not have. Returns how many rows that were.
  Result<std::size_t> catch_up(const audit::Recorder& recorder);

  // Including what is queued.
  Result<UsageReport> report(const UsageQuery& query);

  // Whose use is asked for.
  enum class Subject : std::uint8_t { kAll, kKey, kSession, kModel };
  // Of requests that began at `since` or later. `name`: an id; of kModel a glob.
  Result<Used> used(Subject subject, std::string_view name, WallTime since);

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::gateway
