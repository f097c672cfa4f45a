// The server's side of the guarded connection: answers are matched with what was asked.
#include "sqlguard/connection/guarded_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentsh::sql {
namespace {

// Of an error or a parameter as much as is looked at; the rest passes.
constexpr std::size_t kLookedAt = 8 << 10;

// How much of a frame has to be there before its fate is known.
std::size_t wanted_bytes(const FrameHeader& header) {
  switch (header.type) {
    case 'C':
    case 'E':
    case 'S':
    case 'Z':
      return std::min(header.size(), kLookedAt);
    default:
      return FrameHeader::kSize;
  }
}

std::string_view first_string(Bytes body) {
  const std::string_view text = as_text(body);
  return text.substr(0, text.find('\0'));
}

// A field of an ErrorResponse that may be cut off.
std::string_view field_of(Bytes body, char which) {
  std::string_view rest = as_text(body);
  while (!rest.empty() && rest.front() != '\0') {
    const char type = rest.front();
    rest.remove_prefix(1);
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) return {};
    if (type == which) return rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace

std::size_t GuardedConnection::from_server(Bytes bytes, Outgoing& out) {
  std::size_t at = 0;
  ByteVector instead;
  while (at < bytes.size() && !finished_) {
    if (server_passing_ > 0) {
      const std::size_t there = std::min<std::size_t>(server_passing_, bytes.size() - at);
      if (server_passing_forward_) out.view(bytes.subspan(at, there));
      server_passing_ -= static_cast<std::uint32_t>(there);
      at += there;
      continue;
    }
    if (!pending_.empty() && pending_.front().ask == Ask::kCatalog) {
      if (!take_catalog(bytes, at, out)) break;
      continue;
    }
    const Bytes rest = bytes.subspan(at);
    const auto header = read_frame_header(rest, Direction::kBackend);
    if (!header) {
      break_off("the server sent what is no message of the protocol");
      break;
    }
    if (!*header) break;
    const std::size_t wanted = wanted_bytes(**header);
    if (rest.size() < wanted) break;
    if (exceeds_limits(**header)) break;
    const Bytes there = rest.first(std::min(rest.size(), (*header)->size()));
    instead.clear();
    const Fate fate = fate_of((*header)->type, there.subspan(FrameHeader::kSize), instead);
    if (fate == Fate::kBroken) {
      break_off("the server answered what was not asked");
      break;
    }
    if (fate == Fate::kForward) {
      out.view(there);
      result_bytes_ += (*header)->size();
    }
    out.copy(instead);
    server_passing_ = static_cast<std::uint32_t>((*header)->size() - there.size());
    server_passing_forward_ = fate == Fate::kForward;
    at += there.size();
  }
  if (finished_) {
    out.copy(to_client_);
    to_client_.clear();
    return bytes.size();
  }
  return at;
}

// `instead`: what the client gets in place of the frame, or behind it.
GuardedConnection::Fate GuardedConnection::fate_of(char type, Bytes body, ByteVector& instead) {
  if (type == 'D' || type == 'd') {  // Rows and COPY data, by far the most.
    const bool silent = !pending_.empty() && pending_.front().ask == Ask::kRollback;
    return silent ? Fate::kSwallow : Fate::kForward;
  }
  if (type == 'A') return Fate::kForward;
  if (type == 'S') {
    const std::string_view name = first_string(body);
    if (name.size() + 1 < body.size())
      session_.reported(name, first_string(body.subspan(name.size() + 1)));
    return Fate::kForward;
  }
  const Ask head = pending_.empty() ? Ask::kSync : pending_.front().ask;
  const bool silent =
      head == Ask::kRollback || head == Ask::kSilentSync || (head == Ask::kRefused && type != 'N');
  const Fate fate = silent ? answer_silently(type, body, instead) : answer_of(type, body);
  if (fate != Fate::kBroken && !finished_) say_local_replies(instead);
  return fate;
}

GuardedConnection::Fate GuardedConnection::answer_silently(char type, Bytes body,
                                                           ByteVector& instead) {
  Pending& head = pending_.front();
  if (type == 'E' && field_of(body, 'V') == "FATAL") return Fate::kForward;
  if (head.ask == Ask::kRefused) {
    if (!head.poisoned || type != 'E') return Fate::kBroken;
    // Some other error than ours: the server's own word, and the refusal is moot.
    failed_since_ready_ = true;
    if (field_of(body, 'C') != kPoisonState) {
      pop();
      return Fate::kForward;
    }
    instead = std::move(head.reply);
    pop();
    return Fate::kSwallow;
  }
  if (type == 'E') failed_since_ready_ = true;
  if (type == 'C') last_tag_ = first_string(body);
  if (type != 'Z') return Fate::kSwallow;
  const bool told = head.ask == Ask::kRollback;
  const Fate fate = on_ready(body);
  return fate == Fate::kForward && !told ? Fate::kSwallow : fate;
}

GuardedConnection::Fate GuardedConnection::answer_of(char type, Bytes body) {
  const bool asked = !pending_.empty();
  const Ask head = asked ? pending_.front().ask : Ask::kSync;
  switch (type) {
    case 'N':
      return Fate::kForward;
    case 'E':
      return on_error(body);
    case 'C':
      return on_complete(body);
    case 'Z':
      return on_ready(body);
    case 'T':
      if (asked && head == Ask::kDescribe) return pop_expected(Ask::kDescribe);
      return asked && head == Ask::kQuery ? Fate::kForward : Fate::kBroken;
    case 'n':
      return pop_expected(Ask::kDescribe);
    case 't':
      return asked && head == Ask::kDescribe ? Fate::kForward : Fate::kBroken;
    case '1':
      return pop_expected(Ask::kParse);
    case '2':
      return pop_expected(Ask::kBind);
    case '3':
      return pop_expected(Ask::kClose);
    case 'I':
    case 's':
      if (asked && head == Ask::kQuery && type == 'I') return Fate::kForward;
      if (!asked || head != Ask::kExecute) return Fate::kBroken;
      if (type == 's' && pending_.front().judged->limits_results)
        suspended_[pending_.front().name] = use_;
      statement_done(pending_.front(), {}, {});
      pop();
      return Fate::kForward;
    case 'G':
      if (!asked || !pending_.front().judged || !pending_.front().judged->copies_in)
        return Fate::kBroken;
      copy_in_ = true;
      return Fate::kForward;
    case 'H':
    case 'c':
      return asked && (head == Ask::kQuery || head == Ask::kExecute) ? Fate::kForward
                                                                     : Fate::kBroken;
    case 'V':
      return asked && head == Ask::kFunctionCall ? Fate::kForward : Fate::kBroken;
    default:  // R, K, v, W: not after the login, and not for what is forwarded.
      return Fate::kBroken;
  }
}

void GuardedConnection::pop() {
  if (pending_.front().ends()) --ends_;
  pending_.pop_front();
}

GuardedConnection::Fate GuardedConnection::pop_expected(Ask ask) {
  if (pending_.empty() || pending_.front().ask != ask) return Fate::kBroken;
  if (ask == Ask::kParse) settle_parse(pending_.front());
  if (ask == Ask::kBind) {
    settle(portals_, pending_.front());
    suspended_.erase(pending_.front().name);
  }
  if (ask == Ask::kClose) settle_close(pending_.front());
  pop();
  return Fate::kForward;
}

// The name means this now; what was there before is gone.
void GuardedConnection::settle(Names& names, const Pending& entry) {
  const auto found = names.find(entry.name);
  if (found == names.end() || entry.list.empty()) return;
  Named& named = found->second;
  const auto at = std::ranges::find(named.candidates, entry.list.front());
  if (at == named.candidates.end()) return;
  const auto gone = static_cast<std::size_t>(at - named.candidates.begin());
  named.candidates.erase(named.candidates.begin(), at);
  named.fresh -= std::min(named.fresh, gone);
}

void GuardedConnection::settle_parse(const Pending& entry) {
  settle(prepared_, entry);
  const auto found = prepared_.find(entry.name);
  if (entry.name.empty() || found == prepared_.end() || found->second.candidates.size() != 1)
    return;
  const auto& statements = entry.judged->analysis->statements;
  if (statements.size() == 1) session_.completed_parse(entry.name, statements[0]);
}

void GuardedConnection::settle_close(const Pending& entry) {
  Names& names = entry.what == 'S' ? prepared_ : portals_;
  const auto found = names.find(entry.name);
  if (found == names.end()) return;
  Named& named = found->second;
  std::erase_if(named.candidates, [&](const JudgedPtr& judged) {
    return std::ranges::find(entry.list, judged) != entry.list.end();
  });
  named.fresh = std::min(named.fresh, named.candidates.size());
  if (!named.candidates.empty()) return;
  names.erase(found);
  if (entry.what == 'S') session_.closed(entry.name);
}

void GuardedConnection::statement_done(Pending& entry, std::string_view tag,
                                       std::string error_code) {
  const auto now = std::chrono::steady_clock::now();
  const auto& statements = entry.judged->analysis->statements;
  if (entry.statement < statements.size()) {
    const Statement& statement = statements[entry.statement];
    if (!statement.changes.empty()) {
      if (error_code.empty())
        session_.completed(statement);
      else
        session_.failed(statement);
    }
    StatementRecord record{.judged = entry.judged, .index = entry.statement};
    record.settled = entry.settled;
    record.protocol = entry.ask == Ask::kQuery     ? "simple"
                      : entry.ask == Ask::kExecute ? "extended"
                                                   : "function_call";
    record.in_transaction = state_ != ReadyForQuery::State::kIdle;
    record.error_code = std::move(error_code);
    if (!tag.empty()) record.rows = CommandComplete{tag}.rows();
    record.bytes_in = entry.bytes_in;
    record.bytes_out = result_bytes_;
    record.latency = now - entry.since;
    if (entry.judged->decision == policy::Decision::kRedirect)
      record.rewritten = rewritten(*entry.judged).value_or("");
    if (observer_ != nullptr) observer_->completed(record);
  }
  entry.since = now;
  entry.bytes_in = 0;
  result_bytes_ = 0;
  use_ = {};
}

bool GuardedConnection::exceeds_limits(const FrameHeader& header) {
  if ((header.type != 'D' && header.type != 'd') || pending_.empty()) return false;
  Pending& head = pending_.front();
  const bool answers = head.ask == Ask::kQuery || head.ask == Ask::kExecute;
  if (!answers || !head.judged->limits_results || head.statement >= head.judged->decisions.size())
    return false;
  if (use_.rows == 0 && head.ask == Ask::kExecute) {
    if (const auto found = suspended_.find(head.name); found != suspended_.end())
      use_ = found->second;
  }
  ++use_.rows;
  use_.bytes += header.body;
  const policy::DbLimits& limits = head.judged->decisions[head.statement].limits;
  const bool rows = limits.max_rows && use_.rows > *limits.max_rows;
  if (!rows && (!limits.max_bytes || use_.bytes <= *limits.max_bytes)) return false;
  statement_done(head, {}, "53400");
  write_error(
      {.sqlstate = "53400",
       .message = fmt::format("the result has more than the {} {} that the policy permits "
                              "for one statement",
                              rows ? *limits.max_rows : *limits.max_bytes, rows ? "rows" : "bytes"),
       .hint = "Ask for less: a WHERE clause, LIMIT, an aggregate."},
      Severity::kFatal, to_client_);
  finished_ = true;
  return true;
}

GuardedConnection::Fate GuardedConnection::on_complete(Bytes body) {
  if (pending_.empty()) return Fate::kBroken;
  Pending& head = pending_.front();
  if (head.ask != Ask::kQuery && head.ask != Ask::kExecute) return Fate::kBroken;
  copy_in_ = false;
  const std::string_view tag = first_string(body);
  if (head.judged->has_transaction_steps) last_tag_ = tag;
  statement_done(head, tag, {});
  ++head.statement;
  if (head.ask == Ask::kExecute) pop();
  return Fate::kForward;
}

GuardedConnection::Fate GuardedConnection::on_error(Bytes body) {
  copy_in_ = false;
  failed_since_ready_ = true;
  if (pending_.empty()) return Fate::kForward;  // The server ends, or is ended.
  Pending& head = pending_.front();
  const std::string code(field_of(body, 'C'));
  if (head.ask == Ask::kQuery || head.ask == Ask::kExecute || head.ask == Ask::kFunctionCall) {
    statement_done(head, {}, code);
    // What came after it in the same text is not executed.
    const auto& statements = head.judged->analysis->statements;
    for (std::size_t i = head.statement + 1; i < statements.size(); ++i)
      session_.failed(statements[i]);
    head.statement = statements.size();
  }
  if (!head.ends()) pop_to_sync();
  return Fate::kForward;
}

// The server skips what came before the next Sync.
void GuardedConnection::pop_to_sync() {
  while (!pending_.empty() && !pending_.front().ends()) {
    const Pending& entry = pending_.front();
    if (entry.ask == Ask::kExecute) {
      for (const Statement& statement : entry.judged->analysis->statements)
        session_.failed(statement);
    }
    pop();
  }
  // Nothing was sent behind it so far: what is sent up to the Sync is skipped there too.
  if (pending_.empty() && segment_open_) skip_to_sync_ = true;
}

GuardedConnection::Fate GuardedConnection::on_ready(Bytes body) {
  if (body.size() != 1) return Fate::kBroken;
  const char letter = static_cast<char>(body[0]);
  if (letter != 'I' && letter != 'T' && letter != 'E') return Fate::kBroken;
  if (pending_.empty() || !pending_.front().ends()) return Fate::kBroken;
  pop();
  copy_in_ = false;
  end_of_transaction(static_cast<ReadyForQuery::State>(letter));
  return Fate::kForward;
}

void GuardedConnection::end_of_transaction(ReadyForQuery::State now) {
  if (now == ReadyForQuery::State::kIdle) {
    session_.transaction_ended(!failed_since_ready_ && last_tag_ != "ROLLBACK");
    if (pending_.empty() && !segment_open_) {
      portals_.clear();
      suspended_.clear();
    }
  }
  state_ = now;
  failed_since_ready_ = false;
  last_tag_.clear();
  result_bytes_ = 0;
  if (ends_ == 0 && !segment_open_) front_in_transaction_ = now != ReadyForQuery::State::kIdle;
}

void GuardedConnection::say_local_replies(ByteVector& out) {
  while (!pending_.empty()) {
    Pending& head = pending_.front();
    if (head.ask != Ask::kTerminate && (head.ask != Ask::kRefused || head.poisoned)) return;
    out.insert(out.end(), head.reply.begin(), head.reply.end());
    if (head.ask == Ask::kTerminate) finished_ = true;
    pop();
  }
}

}  // namespace agentsh::sql
