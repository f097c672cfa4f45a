#include "audit/sqlite.h"

#include <sqlite3.h>

namespace agentsh::audit {
namespace {

constexpr int kBusyMilliseconds = 5000;

std::unexpected<Error> sqlite_error(sqlite3* database, int code, std::string_view what) {
  const int primary = code & 0xff;
  std::errc meaning = std::errc::io_error;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) meaning = std::errc::bad_message;
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    meaning = std::errc::device_or_resource_busy;
  }
  if (primary == SQLITE_READONLY || primary == SQLITE_PERM || primary == SQLITE_AUTH) {
    meaning = std::errc::permission_denied;
  }
  const char* detail = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  return fail("audit index: " + std::string(what) + ": " + detail, meaning);
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void SqliteStatement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), index, value);
}

void SqliteStatement::bind(int index, std::string_view text) {
  sqlite3_bind_text(statement_.get(), index, text.data() == nullptr ? "" : text.data(),
                    static_cast<int>(text.size()), SQLITE_STATIC);
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(statement_.get());
  if (code == SQLITE_DONE) return false;
  return sqlite_error(sqlite3_db_handle(statement_.get()), code, "query");
}

Result<> SqliteStatement::run() {
  auto stepped = step();
  while (stepped && *stepped) stepped = step();
  if (!stepped) return std::unexpected(stepped.error());
  return {};
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view SqliteStatement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string_view()
                         : std::string_view(text, static_cast<std::size_t>(size));
}

void Sqlite::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<Sqlite> Sqlite::open(const std::string& path, Access access) {
  const int flags = access == Access::kReadOnly ? SQLITE_OPEN_READONLY
                                                : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Sqlite opened;
  opened.database_.reset(database);
  if (code != SQLITE_OK) return sqlite_error(database, code, "open " + path);
  sqlite3_busy_timeout(database, kBusyMilliseconds);
  return opened;
}

Result<> Sqlite::execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(database_.get(), code, sql);
  return {};
}

Result<SqliteStatement> Sqlite::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return sqlite_error(database_.get(), code, sql);
  return SqliteStatement(statement);
}

bool matches_like(const std::string& pattern, const std::string& text) {
  return sqlite3_strlike(pattern.c_str(), text.c_str(), '\\') == 0;
}

}  // namespace agentsh::audit
