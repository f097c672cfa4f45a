// SQLite 3 as owners and Results: a connection and its prepared statements.
//
// Errors carry bad_message for a file that is damaged or no database, device_or_resource_busy for a
// lock that did not come free, permission_denied where writing is not allowed, io_error otherwise.
//
// Threads: a connection and its statements belong to one thread at a time. Lifetime: statements
// must go before their connection.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace agentsh::audit {

class SqliteStatement {
 public:
  // One that can only be assigned to.
  SqliteStatement() = default;

  // Parameters are numbered from 1. Text must stay until the next step() or reset().
  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view text);

  // Runs to the next row. False at the end; the statement is then ready to be bound again.
  Result<bool> step();
  // For statements without rows: runs, and is ready to be bound again.
  Result<> run();

  // Of the current row, columns from 0. Text is valid until the next step().
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;

 private:
  friend class Sqlite;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Sqlite {
 public:
  enum class Access { kReadOnly, kReadWrite };

  // One that can only be assigned to.
  Sqlite() = default;
  // Opens `path`; kReadWrite makes it when it does not exist. Waits up to 5 s for locks.
  static Result<Sqlite> open(const std::string& path, Access access);
  Result<> execute(const char* sql);
  Result<SqliteStatement> prepare(const char* sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

// SQL's LIKE: % and _ are wild, \ escapes them, ASCII letters match in either case.
bool matches_like(const std::string& pattern, const std::string& text);

}  // namespace agentsh::audit
