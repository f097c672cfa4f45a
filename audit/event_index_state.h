// What EventIndex holds, shared by the file that fills it and the one that searches it.
#pragma once

#include "audit/event_index.h"
#include "audit/line_fields.h"
#include "audit/sqlite.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::audit {

struct EventIndex::State {
  // How far the log was read.
  struct Position {
    std::uint32_t segment = 0;
    std::uint64_t start = 0;
    std::uint32_t oldest = 0;  // The oldest segment when it was last looked at.
    std::string last_hash;     // Of the line before.
    friend bool operator==(const Position&, const Position&) = default;
  };

  Result<> open_somehow();
  Result<> open_database();
  Result<> open_read_only();
  Result<> make_anew();

  Result<Position> position();
  Result<> set_position(const Position& position);
  bool stands_in_this_log(const Position& position) const;
  Result<> settle(Position& position, const std::vector<std::uint32_t>& segments);
  Result<> insert_line(std::string_view line, const Position& position, std::string& last_hash);
  Result<> read_lines(Position& position);
  Result<bool> read_some();
  Result<bool> is_at_end();
  Result<EventPage> search(const EventQuery& query);

  std::string directory;
  std::string path;
  bool read_only = false;
  Sqlite database;
  SqliteStatement insert;  // After database: goes first.
  LineFields fields;
};

// At most `length` bytes from `start` on; fewer at the end of the file.
Result<std::string> read_range(int fd, std::uint64_t start, std::size_t length);

}  // namespace agentsh::audit
