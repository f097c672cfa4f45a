// The searching half of EventIndex.
#include "audit/chain.h"
#include "audit/event_index.h"
#include "audit/event_index_state.h"
#include "audit/segments.h"
#include "base/log.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <variant>

namespace agentsh::audit {
namespace {

constexpr std::chrono::seconds kRenewalLimit{10};

// A pattern for LIKE ... ESCAPE '\'.
std::string like_pattern(const std::string& text) {
  if (text.find('%') != std::string::npos) return text;
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

std::int64_t nanoseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// The SELECT of a query and what is bound to it.
class Search {
 public:
  explicit Search(const EventQuery& query) {
    if (!query.session_id.empty()) where("session = ?", query.session_id);
    if (!query.decision.empty()) {
      where("? IN (decision, effective)", query.decision);
    }
    if (query.since) where("time >= ?", nanoseconds(*query.since));
    if (query.until) where("time <= ?", nanoseconds(*query.until));
    if (!query.path_like.empty()) where("path LIKE ? ESCAPE '\\'", like_pattern(query.path_like));
    if (!query.domain_like.empty()) {
      where("(domain LIKE ? ESCAPE '\\'", like_pattern(query.domain_like));
      sql_ += " OR remote LIKE ? ESCAPE '\\')";
      values_.emplace_back(like_pattern(query.domain_like));
    }
    if (!query.types.empty()) {
      where("type IN (?", query.types.front());
      for (std::size_t i = 1; i < query.types.size(); ++i) {
        sql_ += ",?";
        values_.emplace_back(query.types[i]);
      }
      sql_ += ")";
    }
    sql_ += query.ascending ? " ORDER BY sequence ASC" : " ORDER BY sequence DESC";
  }

  // The statement refers to texts of this object.
  Result<SqliteStatement> prepare(Sqlite& database) const {
    auto statement = database.prepare(sql_.c_str());
    if (!statement) return statement;
    for (int index = 1; const auto& value : values_) {
      std::visit([&](const auto& content) { statement->bind(index, content); }, value);
      ++index;
    }
    return statement;
  }

 private:
  void where(std::string_view condition, std::variant<std::int64_t, std::string> value) {
    sql_ += values_.empty() ? " WHERE " : " AND ";
    sql_ += condition;
    values_.push_back(std::move(value));
  }

  std::string sql_ = "SELECT sequence, segment, start, length FROM events";
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

// Reads events at the places that the index tells.
class LineReader {
 public:
  explicit LineReader(const std::string& directory) : directory_(directory) {}

  // Empty when the line is not there any more: its segment was deleted.
  Result<std::string> json_at(std::uint64_t sequence, std::uint32_t segment, std::uint64_t start,
                              std::size_t length) {
    if (!open(segment)) {
      if (errno == ENOENT) return std::string();
      return std::unexpected(errno_error("open", segment_path(directory_, segment)));
    }
    auto line = read_range(file_.get(), start, length);
    if (!line) return std::unexpected(line.error());
    ParsedLine parsed;
    if (parse_line(*line, parsed) != LineKind::kSigned || parsed.sequence != sequence) {
      return fail(segment_path(directory_, segment) + ": entry " + std::to_string(sequence) +
                      " is not where it was; see `agentsh audit verify`",
                  std::errc::bad_message);
    }
    return std::string(parsed.payload) + "}";
  }

 private:
  bool open(std::uint32_t segment) {
    if (file_ && segment == segment_) return true;
    segment_ = segment;
    file_.reset(
        ::open(segment_path(directory_, segment).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    return static_cast<bool>(file_);
  }

  const std::string& directory_;
  std::uint32_t segment_ = 0;
  UniqueFd file_;
};

}  // namespace

Result<bool> EventIndex::State::is_at_end() {
  auto segments = list_segments(directory);
  if (!segments) return std::unexpected(segments.error());
  auto at = position();
  if (!at) return std::unexpected(at.error());
  if (segments->empty()) return true;
  struct stat info{};
  return at->segment == segments->back() &&
         ::stat(segment_path(directory, at->segment).c_str(), &info) == 0 &&
         static_cast<std::uint64_t>(info.st_size) == at->start;
}

Result<EventPage> EventIndex::query(const EventQuery& query) {
  auto page = state_->search(query);
  if (page || page.error().code != std::errc::bad_message || state_->read_only) return page;
  // The database is damaged, or the log is not the one that was indexed.
  log_warning("audit", "{}; the index is made anew", page.error().what);
  if (auto made = state_->make_anew(); !made) return std::unexpected(made.error());
  if (auto read = catch_up(std::chrono::steady_clock::now() + kRenewalLimit); !read) {
    return std::unexpected(read.error());
  }
  return state_->search(query);
}

Result<EventPage> EventIndex::State::search(const EventQuery& query) {
  const Search search(query);
  auto statement = search.prepare(database);
  if (!statement) return std::unexpected(statement.error());
  const std::string text_pattern = query.text_like.empty() ? "" : like_pattern(query.text_like);
  LineReader reader(directory);
  EventPage page;
  std::size_t matched = 0;
  while (page.events.size() < query.limit) {
    auto row = statement->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const bool skip_unread = text_pattern.empty() && matched < query.offset;
    if (skip_unread) {
      ++matched;
      continue;
    }
    RecordedEvent event;
    event.sequence = static_cast<std::uint64_t>(statement->integer(0));
    auto json = reader.json_at(event.sequence, static_cast<std::uint32_t>(statement->integer(1)),
                               static_cast<std::uint64_t>(statement->integer(2)),
                               static_cast<std::size_t>(statement->integer(3)));
    if (!json) return std::unexpected(json.error());
    if (json->empty() || (!text_pattern.empty() && !matches_like(text_pattern, *json))) continue;
    if (++matched <= query.offset) continue;
    event.json = std::move(*json);
    read_line_fields(event.json, fields);
    event.session_id = fields.session_id;
    event.command_id = fields.command_id;
    event.type = fields.type;
    event.decision = fields.decision;
    page.events.push_back(std::move(event));
  }
  auto at_end = is_at_end();
  page.complete = at_end && *at_end;
  return page;
}

}  // namespace agentsh::audit
