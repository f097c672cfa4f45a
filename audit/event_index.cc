#include "audit/event_index.h"

#include "audit/chain.h"
#include "audit/event_index_state.h"
#include "audit/line_fields.h"
#include "audit/log_recovery.h"
#include "audit/segments.h"
#include "base/log.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace agentsh::audit {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr const char* kSchema =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS events("
    " sequence INTEGER PRIMARY KEY, segment INTEGER, start INTEGER, length INTEGER, time INTEGER,"
    " session TEXT, type TEXT, decision TEXT, effective TEXT, path TEXT, domain TEXT, remote TEXT);"
    "CREATE INDEX IF NOT EXISTS events_by_session ON events(session);"
    "CREATE TABLE IF NOT EXISTS position("
    " only_row INTEGER PRIMARY KEY CHECK(only_row = 1), segment INTEGER, start INTEGER,"
    " oldest INTEGER, last_hash TEXT);"
    "INSERT OR IGNORE INTO position VALUES(1, 0, 0, 0, '');"
    "PRAGMA user_version=1;"
    "COMMIT;";

constexpr std::size_t kChunkBytes = 1 << 20;
constexpr std::size_t kLongestLine = 16 << 20;

// The last 68 bytes of a line end its hash.
constexpr std::uint64_t kHashFromEnd = 68;

void remove_database(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

Result<std::int64_t> schema_version(Sqlite& database) {
  auto statement = database.prepare("PRAGMA user_version");
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->integer(0) : 0;
}

}  // namespace

Result<std::string> read_range(int fd, std::uint64_t start, std::size_t length) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return std::unexpected(errno_error("stat", "audit segment"));
  // Only what is there: mostly far less than what would be read at once.
  const auto size = static_cast<std::uint64_t>(info.st_size);
  length = static_cast<std::size_t>(std::min<std::uint64_t>(length, size - std::min(size, start)));
  int failure = 0;
  std::string text;
  text.resize_and_overwrite(length, [&](char* data, std::size_t wanted) {
    std::size_t have = 0;
    while (have < wanted && failure == 0) {
      const ssize_t got = ::pread(fd, data + have, wanted - have, static_cast<off_t>(start + have));
      if (got < 0 && errno != EINTR) failure = errno;
      if (got == 0) break;
      if (got > 0) have += static_cast<std::size_t>(got);
    }
    return have;
  });
  if (failure != 0) return std::unexpected(errno_error(failure, "read", "audit segment"));
  return text;
}

Result<> EventIndex::State::open_database() {
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  auto opened = Sqlite::open(path, Sqlite::Access::kReadWrite);
  if (!opened) return std::unexpected(opened.error());
  // SQLite made it as readable as the umask allows; its other files take after it. Not by opening
  // it ourselves: closing a descriptor drops the locks that SQLite holds on the file.
  if (is_new && ::chmod(path.c_str(), 0600) != 0)
    return std::unexpected(errno_error("chmod", path));
  database = std::move(*opened);
  auto version = schema_version(database);
  if (!version) return std::unexpected(version.error());
  if (*version != 0 && *version != kSchemaVersion) {
    return fail(path + ": made by another version", std::errc::bad_message);
  }
  if (auto made = database.execute(kSchema); !made) return made;
  auto prepared = database.prepare(
      "INSERT OR REPLACE INTO events VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)");
  if (!prepared) return std::unexpected(prepared.error());
  insert = std::move(*prepared);
  return {};
}

Result<> EventIndex::State::open_read_only() {
  auto opened = Sqlite::open(path, Sqlite::Access::kReadOnly);
  if (!opened) return std::unexpected(opened.error());
  database = std::move(*opened);
  read_only = true;
  const auto version = schema_version(database);
  if (!version) return std::unexpected(version.error());
  if (*version != kSchemaVersion) return fail(path + ": made by another version");
  return {};
}

Result<> EventIndex::State::make_anew() {
  insert = {};
  database = {};
  remove_database(path);
  return open_database();
}

Result<> EventIndex::State::open_somehow() {
  auto opened = open_database();
  if (!opened && opened.error().code == std::errc::bad_message) {
    log_warning("audit", "{}; the index is made anew", opened.error().what);
    return make_anew();
  }
  if (opened) return opened;
  insert = {};
  const bool no_access =
      opened.error().code == std::errc::permission_denied || ::access(path.c_str(), W_OK) != 0;
  return no_access ? open_read_only() : opened;
}

Result<EventIndex::State::Position> EventIndex::State::position() {
  auto statement = database.prepare("SELECT segment, start, oldest, last_hash FROM position");
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return fail(path + ": has no position", std::errc::bad_message);
  return Position{.segment = static_cast<std::uint32_t>(statement->integer(0)),
                  .start = static_cast<std::uint64_t>(statement->integer(1)),
                  .oldest = static_cast<std::uint32_t>(statement->integer(2)),
                  .last_hash = std::string(statement->text(3))};
}

Result<> EventIndex::State::set_position(const Position& position) {
  auto statement =
      database.prepare("UPDATE position SET segment=?1, start=?2, oldest=?3, last_hash=?4");
  if (!statement) return std::unexpected(statement.error());
  statement->bind(1, std::int64_t{position.segment});
  statement->bind(2, static_cast<std::int64_t>(position.start));
  statement->bind(3, std::int64_t{position.oldest});
  statement->bind(4, position.last_hash);
  return statement->run();
}

// The line before the position is the one that was read last: the log is still the same.
bool EventIndex::State::stands_in_this_log(const Position& position) const {
  if (position.start == 0) return true;
  UniqueFd fd(::open(segment_path(directory, position.segment).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || position.start < kHashFromEnd) return false;
  const auto text = read_range(fd.get(), position.start - kHashFromEnd, kHashFromEnd);
  return text && *text == position.last_hash + "\"}}\n";
}

// Puts the position into the log as it is now: follows the deletion of old segments, and starts
// over when this is another log.
Result<> EventIndex::State::settle(Position& position, const std::vector<std::uint32_t>& segments) {
  const std::uint32_t oldest = segments.front();
  const bool known =
      position.segment == 0 || position.segment < oldest ||
      (std::ranges::binary_search(segments, position.segment) && stands_in_this_log(position));
  if (!known) {
    log_warning("audit", "{}: not of this log; the index is filled anew", path);
    if (auto emptied = database.execute("DELETE FROM events"); !emptied) return emptied;
  }
  if (!known || position.segment < oldest) position = {.segment = oldest};
  if (position.oldest == oldest) return {};
  position.oldest = oldest;
  auto statement = database.prepare(
      "DELETE FROM events WHERE sequence < coalesce("
      " (SELECT sequence FROM events WHERE segment >= ?1 ORDER BY sequence LIMIT 1),"
      " (SELECT max(sequence) + 1 FROM events))");
  if (!statement) return std::unexpected(statement.error());
  statement->bind(1, std::int64_t{oldest});
  return statement->run();
}

Result<> EventIndex::State::insert_line(std::string_view line, const Position& position,
                                        std::string& last_hash) {
  ParsedLine parsed;
  if (parse_line(line, parsed) != LineKind::kSigned ||
      !read_line_fields(line, fields, ReadUpTo::kFields)) {
    return {};
  }
  last_hash = parsed.entry_hash;
  insert.bind(1, static_cast<std::int64_t>(parsed.sequence));
  insert.bind(2, std::int64_t{position.segment});
  insert.bind(3, static_cast<std::int64_t>(position.start));
  insert.bind(4, static_cast<std::int64_t>(line.size()));
  insert.bind(5, line_time(line));
  insert.bind(6, fields.session_id);
  insert.bind(7, fields.type);
  insert.bind(8, fields.decision);
  insert.bind(9, fields.effective_decision);
  insert.bind(10, fields.path);
  insert.bind(11, fields.domain);
  insert.bind(12, fields.remote);
  return insert.run();
}

// Reads some complete lines from the position on. Moves it.
Result<> EventIndex::State::read_lines(Position& position) {
  UniqueFd fd(::open(segment_path(directory, position.segment).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open", segment_name(position.segment)));
  std::size_t size = kChunkBytes;
  auto text = read_range(fd.get(), position.start, size);
  while (text && text->size() == size && text->find('\n') == std::string::npos &&
         size < kLongestLine) {
    size *= 2;
    text = read_range(fd.get(), position.start, size);
  }
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    if (auto inserted = insert_line(rest.substr(0, end), position, position.last_hash); !inserted) {
      return inserted;
    }
    position.start += end + 1;
    rest.remove_prefix(end + 1);
  }
  return {};
}

// One transaction. True when there was nothing to read.
Result<bool> EventIndex::State::read_some() {
  auto segments = list_segments(directory);
  if (!segments) return std::unexpected(segments.error());
  if (segments->empty()) return true;
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) {
    return std::unexpected(begun.error());
  }
  const auto done = [&]() -> Result<bool> {
    auto at = position();
    if (!at) return std::unexpected(at.error());
    const Position stored = *at;
    if (auto settled = settle(*at, *segments); !settled) return std::unexpected(settled.error());
    const Position before = *at;
    if (auto read = read_lines(*at); !read) return std::unexpected(read.error());
    const bool moved = at->start != before.start;
    const auto next = std::ranges::upper_bound(*segments, at->segment);
    const bool at_end = !moved && next == segments->end();
    // The next segment is begun only after the last line of this one is complete.
    if (!moved && !at_end) *at = {.segment = *next, .oldest = at->oldest};
    if (*at == stored) return at_end;
    if (auto set = set_position(*at); !set) return std::unexpected(set.error());
    return at_end;
  }();
  auto ended = database.execute(done ? "COMMIT" : "ROLLBACK");
  if (done && !ended) return std::unexpected(ended.error());
  return done;
}

EventIndex::EventIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
EventIndex::EventIndex(EventIndex&&) noexcept = default;
EventIndex& EventIndex::operator=(EventIndex&&) noexcept = default;
EventIndex::~EventIndex() = default;

std::string EventIndex::file_in(const std::string& directory) {
  return directory + "/audit-index.sqlite";
}

Result<EventIndex> EventIndex::open(const std::string& directory) {
  auto state = std::make_unique<State>();
  state->directory = directory;
  state->path = file_in(directory);
  if (auto opened = state->open_somehow(); !opened) return std::unexpected(opened.error());
  return EventIndex(std::move(state));
}

Result<bool> EventIndex::catch_up(std::chrono::steady_clock::time_point deadline) {
  if (state_->read_only) return state_->is_at_end();
  bool renewed = false;
  for (;;) {
    auto at_end = state_->read_some();
    if (!at_end && at_end.error().code == std::errc::bad_message && !renewed) {
      log_warning("audit", "{}; the index is made anew", at_end.error().what);
      if (auto made = state_->make_anew(); !made) return std::unexpected(made.error());
      renewed = true;
      continue;
    }
    if (!at_end || *at_end) return at_end;
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
}

}  // namespace agentsh::audit
