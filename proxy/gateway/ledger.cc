#include "proxy/gateway/ledger.h"

#include "audit/recorder.h"
#include "audit/sqlite.h"
#include "base/log.h"
#include "proxy/gateway/model_glob.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <thread>

namespace agentsh::gateway {
namespace {

using audit::Sqlite;
using audit::SqliteStatement;

constexpr std::chrono::milliseconds kGather{100};
constexpr std::size_t kBatch = 512;
// Beyond this, with a disk that refuses, the oldest are given up; the audit trail has them.
constexpr std::size_t kMaxQueued = 200'000;
constexpr std::chrono::milliseconds kTryAgain{1'000};
constexpr std::size_t kEventsAtOnce = 2'000;
// Rows are written in the order in which exchanges end and are timed by their beginning.
constexpr std::chrono::hours kOverlap{2};

constexpr const char* kSchema =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "CREATE TABLE IF NOT EXISTS exchanges("
    "  id TEXT PRIMARY KEY, started INTEGER NOT NULL, duration INTEGER NOT NULL,"
    "  session TEXT NOT NULL, key TEXT NOT NULL, dialect TEXT NOT NULL, provider TEXT NOT NULL,"
    "  model_asked TEXT NOT NULL, model_answered TEXT NOT NULL, status INTEGER NOT NULL,"
    "  ending TEXT NOT NULL, usage_known INTEGER NOT NULL, input INTEGER NOT NULL,"
    "  cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, output INTEGER NOT NULL,"
    "  reasoning INTEGER NOT NULL, priced INTEGER NOT NULL, nano_dollars INTEGER NOT NULL,"
    "  currency TEXT NOT NULL DEFAULT 'USD', redactions INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS by_time ON exchanges(started);"
    "CREATE INDEX IF NOT EXISTS by_session ON exchanges(session, started);"
    "CREATE INDEX IF NOT EXISTS by_key ON exchanges(key, started);";

constexpr const char* kInsert =
    "INSERT OR IGNORE INTO exchanges(id, started, duration, session, key, dialect, provider,"
    " model_asked, model_answered, status, ending, usage_known, input, cache_read, cache_write,"
    " output, reasoning, priced, nano_dollars, redactions)"
    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)";

constexpr const char* kSums =
    "SUM(ending<>'refused'), SUM(ending='refused'),"
    " SUM(ending<>'refused' AND (status>=400 OR status=0)),"
    " SUM(ending NOT IN ('complete','refused')), SUM(input), SUM(cache_read), SUM(cache_write),"
    " SUM(output), SUM(reasoning), SUM(nano_dollars),"
    " SUM(usage_known AND NOT priced AND input+output>0),"
    " SUM(NOT usage_known AND status BETWEEN 200 AND 299), SUM(redactions>0)";
constexpr const char* kModel = "CASE model_asked WHEN '' THEN model_answered ELSE model_asked END";

constexpr const char* kWhere =
    "WHERE started>=?1 AND started<?2 AND (?3='' OR session=?3) AND (?4='' OR key=?4)";

std::int64_t nanoseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

void bind(SqliteStatement& insert, const LedgerRow& row) {
  int at = 0;
  const auto text = [&](const std::string& value) { insert.bind(++at, std::string_view(value)); };
  const auto number = [&](std::int64_t value) { insert.bind(++at, value); };
  text(row.id);
  number(row.started);
  number(row.duration);
  text(row.session);
  text(row.key);
  text(row.dialect);
  text(row.provider);
  text(row.model_asked);
  text(row.model_answered);
  number(row.status);
  text(row.ending);
  number(row.usage_known ? 1 : 0);
  number(row.input);
  number(row.cache_read);
  number(row.cache_write);
  number(row.output);
  number(row.reasoning);
  number(row.priced ? 1 : 0);
  number(row.nano_dollars);
  number(row.redactions);
}

Result<> make_schema(const std::string& file) {
  auto database = Sqlite::open(file, Sqlite::Access::kReadWrite);
  if (!database) return std::unexpected(database.error());
  ::chmod(file.c_str(), 0600);
  return database->execute(kSchema);
}

UsageSums read_sums(const SqliteStatement& row, int column) {
  UsageSums sums;
  for (std::int64_t* target :
       {&sums.requests, &sums.refused, &sums.errors, &sums.interrupted, &sums.input,
        &sums.cache_read, &sums.cache_write, &sums.output, &sums.reasoning, &sums.nano_dollars,
        &sums.unpriced, &sums.unknown_usage, &sums.redacted}) {
    *target = row.integer(column++);
  }
  return sums;
}

void bind(SqliteStatement& select, const UsageQuery& query) {
  select.bind(1, query.since ? nanoseconds(*query.since) : 0);
  select.bind(2, query.until ? nanoseconds(*query.until) : INT64_MAX);
  select.bind(3, std::string_view(query.session));
  select.bind(4, std::string_view(query.key));
}

std::string group_columns(GroupBy by) {
  switch (by) {
    case GroupBy::kModel:
      return fmt::format("{}, provider", kModel);
    case GroupBy::kSession:
      return "session, ''";
    case GroupBy::kKey:
      return "key, ''";
    case GroupBy::kDay:
      break;
  }
  return "date(started/1000000000,'unixepoch'), ''";
}

}  // namespace

struct Ledger::State {
  std::string file;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<LedgerRow> queue;
  std::uint64_t added = 0;
  std::uint64_t written = 0;  // Or given up.
  bool hurry = false;
  bool ending = false;
  bool refused = false;  // The last attempt failed.
  std::thread writer;

  void run();
  bool gather(std::unique_lock<std::mutex>& lock, std::vector<LedgerRow>& batch);
  Result<> write(const std::vector<LedgerRow>& batch);
  Result<> prepare();

  // Of the writer's thread.
  Sqlite database;
  SqliteStatement begin, insert, commit;
  bool prepared = false;
};

Result<> Ledger::State::prepare() {
  if (prepared) return {};
  auto opened = Sqlite::open(file, Sqlite::Access::kReadWrite);
  if (!opened) return std::unexpected(opened.error());
  if (auto made = opened->execute(kSchema); !made) return made;
  for (auto [target, sql] : {std::pair(&begin, "BEGIN IMMEDIATE"), std::pair(&insert, kInsert),
                             std::pair(&commit, "COMMIT")}) {
    auto statement = opened->prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    *target = std::move(*statement);
  }
  database = std::move(*opened);
  prepared = true;
  return {};
}

Result<> Ledger::State::write(const std::vector<LedgerRow>& batch) {
  if (auto ready = prepare(); !ready) return ready;
  if (auto begun = begin.run(); !begun) return begun;
  for (const LedgerRow& row : batch) {
    bind(insert, row);
    if (auto inserted = insert.run(); !inserted) {
      static_cast<void>(database.execute("ROLLBACK"));
      return inserted;
    }
  }
  auto committed = commit.run();
  if (!committed) static_cast<void>(database.execute("ROLLBACK"));
  return committed;
}

// Waits for rows and takes some. False: it is over.
bool Ledger::State::gather(std::unique_lock<std::mutex>& lock, std::vector<LedgerRow>& batch) {
  changed.wait(lock, [&] { return !queue.empty() || ending; });
  if (queue.empty()) return false;
  changed.wait_for(lock, kGather, [&] { return hurry || ending || queue.size() >= kBatch; });
  batch.clear();
  while (!queue.empty() && batch.size() < kBatch) {
    batch.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  return true;
}

void Ledger::State::run() {
  std::vector<LedgerRow> batch;
  std::unique_lock lock(mutex);
  while (gather(lock, batch)) {
    lock.unlock();
    const Result<> done = write(batch);
    lock.lock();
    if (done) {
      written += batch.size();
      refused = false;
    } else {
      if (!refused) log_error("ledger", "{}: {}", file, done.error().what);
      refused = true;
      if (ending) return;
      for (auto row = batch.rbegin(); row != batch.rend(); ++row) queue.push_front(std::move(*row));
      changed.notify_all();
      changed.wait_for(lock, kTryAgain, [&] { return ending; });
    }
    if (queue.empty()) hurry = false;
    changed.notify_all();
  }
}

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->writer = std::thread([this] { state_->run(); });
}

Ledger::~Ledger() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->writer.join();
}

Result<std::unique_ptr<Ledger>> Ledger::open(std::string file) {
  Result<> made = make_schema(file);
  if (!made && made.error().code == std::errc::bad_message) {
    const std::string aside = file + ".damaged";
    log_warning("ledger", "{}: {}; put aside as {}", file, made.error().what, aside);
    std::rename(file.c_str(), aside.c_str());
    for (const char* suffix : {"-wal", "-shm"}) std::remove((file + suffix).c_str());
    made = make_schema(file);
  }
  if (!made) return std::unexpected(with_context(made.error(), file));
  auto state = std::make_unique<State>();
  state->file = std::move(file);
  return std::unique_ptr<Ledger>(new Ledger(std::move(state)));
}

void Ledger::add(LedgerRow row) {
  const std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(row));
  ++state_->added;
  if (state_->queue.size() > kMaxQueued) {
    state_->queue.pop_front();
    ++state_->written;
  }
  // The writer sleeps only while there is nothing, or until it has gathered enough.
  if (state_->queue.size() == 1 || state_->queue.size() == kBatch) state_->changed.notify_all();
}

bool Ledger::flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t target = state_->added;
  if (state_->written >= target) return true;
  state_->hurry = true;
  state_->changed.notify_all();
  return state_->changed.wait_for(lock, limit, [&] {
    return state_->written >= target || state_->refused;
  }) && state_->written >= target;
}

Result<std::size_t> Ledger::catch_up(const audit::Recorder& recorder) {
  auto database = Sqlite::open(state_->file, Sqlite::Access::kReadOnly);
  if (!database) return std::unexpected(database.error());
  auto last = database->prepare("SELECT COALESCE(MAX(started),0) FROM exchanges");
  if (!last) return std::unexpected(last.error());
  if (auto row = last->step(); !row) return std::unexpected(row.error());
  auto known = database->prepare("SELECT 1 FROM exchanges WHERE id=?1");
  if (!known) return std::unexpected(known.error());
  audit::EventQuery query;
  query.types = {"llm_request"};
  query.limit = kEventsAtOnce;
  query.ascending = true;
  query.since = WallTime(std::chrono::duration_cast<WallTime::duration>(
                    std::chrono::nanoseconds(last->integer(0)))) -
                kOverlap;
  std::size_t missing = 0;
  for (;;) {
    auto page = recorder.query(query);
    if (!page) return std::unexpected(page.error());
    for (const audit::RecordedEvent& event : page->events) {
      auto document = JsonDocument::parse(event.json);
      auto row = document ? to_row(document->root()) : std::nullopt;
      if (!row) continue;
      known->bind(1, std::string_view(row->id));
      auto found = known->step();
      if (!found) return std::unexpected(found.error());
      if (*found) {
        static_cast<void>(known->step());  // To its end: ready to be bound again.
        continue;
      }
      ++missing;
      add(std::move(*row));
    }
    if (page->events.size() < query.limit) break;
    query.offset += page->events.size();
  }
  if (missing > 0 && !flush())
    return fail(state_->file + ": could not be completed", std::errc::io_error);
  return missing;
}

Result<UsageReport> Ledger::report(const UsageQuery& query) {
  flush();
  auto database = Sqlite::open(state_->file, Sqlite::Access::kReadOnly);
  if (!database) return std::unexpected(database.error());
  const std::string sql = fmt::format(
      "SELECT {}, {} FROM exchanges {} GROUP BY 1, 2 ORDER BY {}", group_columns(query.by), kSums,
      kWhere, query.by == GroupBy::kDay ? "1" : "SUM(nano_dollars) DESC, SUM(input) DESC, 1");
  UsageReport report{.query = query};
  auto rows = database->prepare(sql.c_str());
  if (!rows) return std::unexpected(rows.error());
  bind(*rows, query);
  for (;;) {
    auto more = rows->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    report.rows.push_back(
        {std::string(rows->text(0)), std::string(rows->text(1)), read_sums(*rows, 2)});
  }
  auto totals =
      database->prepare(fmt::format("SELECT {} FROM exchanges {}", kSums, kWhere).c_str());
  if (!totals) return std::unexpected(totals.error());
  bind(*totals, query);
  if (auto row = totals->step(); !row) return std::unexpected(row.error());
  report.totals = read_sums(*totals, 0);
  auto unpriced = database->prepare(
      fmt::format(
          "SELECT provider, {}, COUNT(*), SUM(input+output) FROM exchanges {}"
          " AND usage_known AND NOT priced AND input+output>0 GROUP BY 1, 2 ORDER BY 4 DESC",
          kModel, kWhere)
          .c_str());
  if (!unpriced) return std::unexpected(unpriced.error());
  bind(*unpriced, query);
  for (;;) {
    auto more = unpriced->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    report.unpriced.push_back({std::string(unpriced->text(0)), std::string(unpriced->text(1)),
                               unpriced->integer(2), unpriced->integer(3)});
  }
  return report;
}

Result<Used> Ledger::used(Subject subject, std::string_view name, WallTime since) {
  flush();
  auto database = Sqlite::open(state_->file, Sqlite::Access::kReadOnly);
  if (!database) return std::unexpected(database.error());
  const char* which = subject == Subject::kKey       ? " AND key=?2"
                      : subject == Subject::kSession ? " AND session=?2"
                                                     : "";
  auto rows =
      database->prepare(fmt::format("SELECT {}, SUM(input+output), SUM(nano_dollars) FROM exchanges"
                                    " WHERE started>=?1{} GROUP BY 1",
                                    subject == Subject::kModel ? kModel : "''", which)
                            .c_str());
  if (!rows) return std::unexpected(rows.error());
  rows->bind(1, std::max<std::int64_t>(nanoseconds(since), 0));
  if (*which != '\0') rows->bind(2, name);
  Used used;
  for (;;) {
    auto more = rows->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return used;
    if (subject == Subject::kModel && !matches_model(name, rows->text(0))) continue;
    used.tokens += static_cast<std::uint64_t>(rows->integer(1));
    used.nano_dollars += static_cast<std::uint64_t>(rows->integer(2));
  }
}

}  // namespace agentsh::gateway
