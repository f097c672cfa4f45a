// The client's side of the guarded connection: what is decided before anything is forwarded.
#include "sqlguard/catalog/resolution.h"
#include "sqlguard/connection/guarded_connection.h"
#include "sqlguard/rules/relation_redirect.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentsh::sql {
namespace {

// Of a Bind or FunctionCall: its names are in front of this.
constexpr std::size_t kFront = 64 << 10;

void append(ByteVector& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// How much of a frame has to be there to decide on it.
std::size_t wanted_bytes(const FrameHeader& header) {
  switch (header.type) {
    case 'd':
      return FrameHeader::kSize;
    case 'B':
    case 'F':
      return std::min(header.size(), kFront);
    case 'Q':
    case 'P':
      return header.size() > GuardedConnection::kMaximumStatement ? FrameHeader::kSize
                                                                  : header.size();
    default:
      return header.size();
  }
}

// The string at the front, without its NUL; takes both away.
std::optional<std::string_view> take_string(std::string_view& text) {
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view result = text.substr(0, end);
  text.remove_prefix(end + 1);
  return result;
}

bool has_other_bytes(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return c == '\\' || static_cast<unsigned char>(c) >= 0x80; });
}

int strictness(const Judged& judged) {
  if (judged.decision == policy::Decision::kDeny) return 3;
  if (judged.needs_approval()) return 2;
  return judged.decision == policy::Decision::kRedirect ? 1 : 0;
}

bool same_names(const NameContext& a, const NameContext& b) {
  return a.search_path == b.search_path && a.temporary == b.temporary;
}

Statement not_understood(std::string reason) {
  Statement statement;
  statement.raw_verb = "UNKNOWN";
  statement.error = std::move(reason);
  statement.effects.push_back({.group = Group::kUnknown});
  return statement;
}

Refusal unknown_statement(std::string_view name) {
  return {.sqlstate = "26000",
          .message = fmt::format("prepared statement \"{}\" does not exist", name)};
}

}  // namespace

GuardedConnection::GuardedConnection(Setup setup)
    : judge_(setup.judge),
      observer_(setup.observer),
      session_(std::move(setup.session)),
      service_(std::move(setup.service)),
      allow_function_calls_(setup.allow_function_calls),
      catalog_(std::move(setup.catalog)) {
  if (catalog_ != nullptr) session_.looked_up(catalog_->session.search_path);
}

// --- frames --------------------------------------------------------------------------------------

std::size_t GuardedConnection::from_client(Bytes bytes) {
  std::size_t at = 0;
  if (question() != nullptr) return 0;
  held_ = Held::kNo;
  while (!finished_) {
    if (client_passing_ > 0) {
      const std::size_t there = std::min<std::size_t>(client_passing_, bytes.size() - at);
      if (client_passing_forward_) append(to_server_, bytes.subspan(at, there));
      client_passing_ -= static_cast<std::uint32_t>(there);
      at += there;
      if (client_passing_ > 0) return at;
    }
    if (at == bytes.size() && partial_.empty()) return at;
    const Taken taken = partial_.empty() ? take_next(bytes, at) : take_partial(bytes, at);
    if (taken == Taken::kLater) return at;
  }
  return bytes.size();
}

// kLater: more bytes are needed (all were taken then), or the frame waits.
GuardedConnection::Taken GuardedConnection::take_next(Bytes bytes, std::size_t& at) {
  const Bytes rest = bytes.subspan(at);
  const auto header = read_frame_header(rest, Direction::kFrontend);
  if (!header) {
    break_off(header.error().what);
    return Taken::kYes;
  }
  if (!*header || rest.size() < wanted_bytes(**header)) {
    partial_.assign(rest.begin(), rest.end());
    at = bytes.size();
    return Taken::kLater;
  }
  const ClientFrame frame{**header, rest.first(std::min(rest.size(), (*header)->size()))};
  if (take(frame) == Taken::kLater) return Taken::kLater;
  at += frame.raw.size();
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::take_partial(Bytes bytes, std::size_t& at) {
  const auto grow_to = [&](std::size_t size) {
    if (partial_.size() < size) {
      const std::size_t more = std::min(size - partial_.size(), bytes.size() - at);
      append(partial_, bytes.subspan(at, more));
      at += more;
    }
    return partial_.size() >= size;
  };
  if (!grow_to(FrameHeader::kSize)) return Taken::kLater;
  const auto header = read_frame_header(partial_, Direction::kFrontend);
  if (!header || !*header) {
    break_off(header ? "a message without a header" : header.error().what);
    return Taken::kYes;
  }
  if (!grow_to(wanted_bytes(**header))) return Taken::kLater;
  if (take({**header, partial_}) == Taken::kLater) return Taken::kLater;
  if (partial_.capacity() > kFront)
    partial_ = {};
  else
    partial_.clear();
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::take(const ClientFrame& frame) {
  const char type = frame.header.type;
  if (type == 'X') {
    append(to_server_, frame.raw);
    client_ended();
    return Taken::kYes;
  }
  if (skip_to_sync_ && type != 'S') return drop(frame);
  const bool data = type == 'd' || type == 'c' || type == 'f';
  if (copy_in_ && !data && type != 'S' && type != 'H') {
    break_off(fmt::format("a message of type {} while COPY data is expected", type));
    return Taken::kYes;
  }
  if (pending_.size() >= kMaximumPending || !opened_) return wait_for_answers();
  const bool judged = type == 'Q' || type == 'P' || type == 'E';
  if (judged && !question_ && renew_catalog() == Taken::kLater) return Taken::kLater;
  return dispatch(frame);
}

GuardedConnection::Taken GuardedConnection::dispatch(const ClientFrame& frame) {
  switch (frame.header.type) {
    case 'Q':
      return take_query(frame);
    case 'P':
      return take_parse(frame);
    case 'B':
      return take_bind(frame);
    case 'D':
      return take_describe(frame);
    case 'E':
      return take_execute(frame);
    case 'C':
      return take_close(frame);
    case 'S':
      return take_sync(frame);
    case 'F':
      return take_function_call(frame);
    case 'H':
      return forward(frame);
    case 'd':
    case 'c':
    case 'f':
      return take_copy(frame);
    default:
      break_off(fmt::format("a message of type {} after the login", frame.header.type));
      return Taken::kYes;
  }
}

GuardedConnection::Taken GuardedConnection::forward(const ClientFrame& frame) {
  append(to_server_, frame.raw);
  client_passing_ = static_cast<std::uint32_t>(frame.header.size() - frame.raw.size());
  client_passing_forward_ = true;
  flush_sent_ = false;
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::drop(const ClientFrame& frame) {
  client_passing_ = static_cast<std::uint32_t>(frame.header.size() - frame.raw.size());
  client_passing_forward_ = false;
  return Taken::kYes;
}

void GuardedConnection::client_ended() {
  finished_ = client_left_ = true;
}

void GuardedConnection::break_off(std::string_view why) {
  write_error({.sqlstate = "08P01", .message = std::string(why)}, Severity::kFatal, to_client_);
  finished_ = true;
}

void GuardedConnection::push(Pending entry) {
  if (entry.ends()) ++ends_;
  pending_.push_back(std::move(entry));
}

GuardedConnection::Taken GuardedConnection::wait_for_answers() {
  held_ = Held::kAnswers;
  if (segment_open_ && !flush_sent_) {
    write_flush(to_server_);
    flush_sent_ = true;
  }
  return Taken::kLater;
}

// --- judging -------------------------------------------------------------------------------------

std::uint64_t GuardedConnection::names_id() {
  if (names_judge_ != judge_->id() || names_catalog_ != catalog() ||
      !same_names(names_, session_.names())) {
    names_ = session_.names();
    names_catalog_ = catalog();
    names_judge_ = judge_->id();
    names_id_ = judge_->names_id(names_, names_catalog_);
  }
  return names_id_;
}

JudgedPtr GuardedConnection::denied_because(std::string_view text, std::string reason) const {
  auto judged = std::make_shared<Judged>();
  auto analysis = std::make_shared<Analysis>();
  analysis->statements.push_back(not_understood(reason));
  judged->text = text;
  StatementDecision decision;
  decision.reason = std::move(reason);
  decision.effects = analysis->statements[0].effects;
  decision.by_effect.resize(1);
  judged->decisions.push_back(std::move(decision));
  judged->strictest = judged->decisions.data();
  judged->analysis = std::move(analysis);
  return judged;
}

JudgedPtr GuardedConnection::judge_text(std::string_view text) {
  if (judge_ == nullptr) return denied_because(text, "the audit log cannot be written");
  if (!session_.reads_text_as_parser() && has_other_bytes(text)) {
    return judge_->judge(
        not_understood("with standard_conforming_strings off, or in this client_encoding, the "
                       "server may read another text than the guard"),
        session_);
  }
  const std::uint64_t id = names_id();
  return judge_->judge(text, Judge::Names{session_, names_catalog_, id});
}

JudgedPtr GuardedConnection::judge_again(const JudgedPtr& judged) {
  if (judge_ == nullptr) return denied_because(judged->text, "the audit log cannot be written");
  if (judged->judge == judge_->id() && !judged->executes_prepared && judged->names == names_id())
    return judged;
  if (!judged->text.empty()) return judge_text(judged->text);
  return judge_->judge(judged->analysis->statements.at(0), session_);
}

JudgedPtr GuardedConnection::strictest_of(const Candidates& candidates) {
  JudgedPtr result;
  for (const JudgedPtr& candidate : candidates) {
    JudgedPtr judged = judge_again(candidate);
    if (result == nullptr || strictness(*judged) > strictness(*result)) result = std::move(judged);
  }
  return result;
}

bool GuardedConnection::ask(const JudgedPtr& judged, std::optional<policy::Verdict>& settled) {
  if (!judged->needs_approval()) return true;
  if (!question_) question_ = Question{judged};
  if (!verdict_) {
    held_ = Held::kApproval;
    return false;
  }
  settled = std::exchange(verdict_, std::nullopt);
  question_.reset();
  return true;
}

void GuardedConnection::answer(policy::Verdict verdict) {
  if (question_) verdict_ = std::move(verdict);
}

bool GuardedConnection::cancel() {
  if (question() == nullptr) return false;
  canceled_ = true;
  answer(policy::Verdict::deny(question_->judged->strictest->rule_name,
                               "the client withdrew the statement"));
  return true;
}

std::optional<Refusal> GuardedConnection::refusal(
    const JudgedPtr& judged, const std::optional<policy::Verdict>& settled) const {
  if (settled ? settled->permitted() : judged->permitted()) return std::nullopt;
  if (canceled_)
    return Refusal{.sqlstate = "57014", .message = "canceling statement due to user request"};
  const auto index = static_cast<std::size_t>(judged->strictest - judged->decisions.data());
  Refusal result = refusal_of(*judged->strictest, judged->analysis->statements.at(index).raw_verb);
  if (settled && !settled->message().empty()) {
    result.message = fmt::format("denied: rule {} wants an approval: {}",
                                 judged->strictest->rule_name, settled->message());
    result.hint = "It was not given. Ask whoever approves before you try it again.";
  }
  return result;
}

Result<std::string> GuardedConnection::rewritten(const Judged& judged) const {
  if (judged.decisions.size() != 1) return fail("a redirected statement has to be sent by itself");
  return redirect_relation(judged.text, judged.strictest->redirect_source,
                           judged.strictest->redirect_target);
}

// --- refusing ------------------------------------------------------------------------------------

bool GuardedConnection::predicted_in_transaction() const {
  if (ends_ == 0 && !segment_open_) return state_ != ReadyForQuery::State::kIdle;
  return front_in_transaction_;
}

DenyAction GuardedConnection::deny_action(const JudgedPtr& judged) const {
  if (!predicted_in_transaction()) return DenyAction::kNone;
  return judged->strictest->rollback_then_continue ? DenyAction::kRollback : DenyAction::kTerminate;
}

void GuardedConnection::record_refusal(const JudgedPtr& judged, std::string_view protocol,
                                       DenyAction action, std::string sqlstate,
                                       std::optional<policy::Verdict> settled) {
  StatementRecord record{.judged = judged, .settled = std::move(settled), .protocol = protocol};
  record.index = static_cast<std::size_t>(judged->strictest - judged->decisions.data());
  record.in_transaction = predicted_in_transaction();
  record.deny_action = action;
  record.error_code = std::move(sqlstate);
  record.bytes_in = judged->text.size();
  if (observer_ != nullptr) observer_->completed(record);
  ++statements_seen_;
  canceled_ = false;
}

GuardedConnection::Taken GuardedConnection::refuse_query(const JudgedPtr& judged, Refusal refusal,
                                                         std::string_view protocol,
                                                         std::optional<policy::Verdict> settled) {
  const DenyAction action = deny_action(judged);
  record_refusal(judged, protocol, action, refusal.sqlstate, std::move(settled));
  Pending entry{.ask = action == DenyAction::kTerminate ? Ask::kTerminate : Ask::kRefused};
  write_error(refusal, action == DenyAction::kTerminate ? Severity::kFatal : Severity::kError,
              entry.reply);
  if (action == DenyAction::kTerminate) {
    if (segment_open_) write_flush(to_server_);
    skip_to_sync_ = true;
    push(std::move(entry));
  } else if (!segment_open_ && action == DenyAction::kNone) {
    write_ready(state_, entry.reply);
    push(std::move(entry));
  } else {
    entry.poisoned = segment_open_;
    if (segment_open_) {
      write_poison(to_server_);
      write_sync(to_server_);
    }
    push(std::move(entry));
    const bool rollback = action == DenyAction::kRollback;
    if (segment_open_) push({.ask = rollback ? Ask::kSilentSync : Ask::kSync});
    if (rollback) {
      write_query("ROLLBACK", to_server_);
      push({.ask = Ask::kRollback});
    }
    close_segment();
  }
  say_local_replies(to_client_);
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::refuse_extended(
    const JudgedPtr& judged, Refusal refusal, std::optional<policy::Verdict> settled) {
  const DenyAction action = deny_action(judged);
  record_refusal(judged, "extended", action, refusal.sqlstate, std::move(settled));
  if (action != DenyAction::kTerminate) {
    roll_back_at_sync_ = action == DenyAction::kRollback;
    return fail_extended(std::move(refusal));
  }
  Pending entry{.ask = Ask::kTerminate};
  write_error(refusal, Severity::kFatal, entry.reply);
  if (!pending_.empty()) write_flush(to_server_);
  skip_to_sync_ = true;
  push(std::move(entry));
  say_local_replies(to_client_);
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::fail_extended(Refusal refusal) {
  Pending entry{.ask = Ask::kRefused};
  write_error(refusal, Severity::kError, entry.reply);
  // In a transaction the error makes it fail, as every error does.
  entry.poisoned = segment_executes_ || predicted_in_transaction();
  if (entry.poisoned)
    write_poison(to_server_);
  else if (!pending_.empty())
    write_flush(to_server_);
  skip_to_sync_ = true;
  push(std::move(entry));
  say_local_replies(to_client_);
  return Taken::kYes;
}

// --- messages ------------------------------------------------------------------------------------

GuardedConnection::Taken GuardedConnection::begin_execution(Pending entry) {
  entry.since = std::chrono::steady_clock::now();
  const Judged& judged = *entry.judged;
  if (!judged.reads_only) {
    for (const Statement& statement : judged.analysis->statements) {
      session_.forwarded(statement);
      if (changes_catalog(statement)) catalog_changed_ = true;
      for (const SessionChange& change : statement.changes) {
        if (change.kind == SessionChange::Kind::kDeclareCursor && cursors_.size() < kMaximumNamed)
          cursors_.insert(change.name);
      }
      switch (statement.transaction) {
        case TransactionStep::kBegin:
          front_in_transaction_ = true;
          break;
        case TransactionStep::kCommit:
        case TransactionStep::kRollback:
        case TransactionStep::kPrepare:
          front_in_transaction_ = false;
          break;
        default:
          break;
      }
    }
  }
  ++statements_seen_;
  push(std::move(entry));
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::take_query(const ClientFrame& frame) {
  JudgedPtr judged;
  if (frame.header.size() > kMaximumStatement) {
    judged = denied_because({}, fmt::format("it is longer than {} bytes", kMaximumStatement));
  } else {
    auto message = parse_frontend(frame.frame());
    if (!message) {
      break_off(message.error().what);
      return Taken::kYes;
    }
    judged = question_ ? question_->judged : judge_text(std::get<Query>(*message).text);
  }
  std::string text;
  std::optional<Refusal> refused;
  std::optional<policy::Verdict> settled;
  if (judged->decision == policy::Decision::kRedirect) {
    if (auto other = rewritten(*judged))
      text = std::move(*other);
    else
      refused = Refusal{.sqlstate = "42501",
                        .message = fmt::format("rule {} redirects what this statement reads, "
                                               "which cannot be done: {}",
                                               judged->strictest->rule_name, other.error().what)};
  }
  if (!judged->permitted() || refused) {
    // The state that the server is in is known when it has answered.
    if (ends_ > 0) return wait_for_answers();
    if (!ask(judged, settled)) return Taken::kLater;
    if (!refused) refused = refusal(judged, settled);
  }
  if (refused) {
    drop(frame);
    return refuse_query(judged, std::move(*refused), "simple", std::move(settled));
  }
  close_segment();
  if (text.empty())
    forward(frame);
  else
    write_query(text, to_server_);
  Pending entry{.ask = Ask::kQuery, .judged = std::move(judged)};
  entry.settled = std::move(settled);
  entry.bytes_in = frame.header.body;
  return begin_execution(std::move(entry));
}

GuardedConnection::Taken GuardedConnection::take_parse(const ClientFrame& frame) {
  JudgedPtr judged;
  std::optional<Parse> parse;
  if (frame.header.size() > kMaximumStatement) {
    judged = denied_because({}, fmt::format("it is longer than {} bytes", kMaximumStatement));
  } else {
    auto message = parse_frontend(frame.frame());
    if (!message) {
      break_off(message.error().what);
      return Taken::kYes;
    }
    parse = std::move(std::get<Parse>(*message));
    judged = judge_text(parse->text);
  }
  std::optional<Refusal> refused;
  std::string text;
  if (judged->decision == policy::Decision::kDeny) refused = refusal(judged, {});
  if (judged->decision == policy::Decision::kRedirect) {
    if (auto other = rewritten(*judged))
      text = std::move(*other);
    else
      refused = Refusal{.sqlstate = "42501", .message = other.error().what};
  }
  if (refused) {
    if (ends_ > 0) return wait_for_answers();
    drop(frame);
    return refuse_extended(judged, std::move(*refused));
  }
  if (prepared_.size() >= kMaximumNamed && !prepared_.contains(parse->name)) {
    drop(frame);
    return fail_extended({.sqlstate = "53400", .message = "too many prepared statements"});
  }
  if (!define(prepared_, parse->name, {judged})) return wait_for_answers();
  open_segment();
  if (!parse->name.empty() && judged->analysis->statements.size() == 1)
    session_.forwarded_parse(parse->name, judged->analysis->statements[0]);
  Pending entry{.ask = Ask::kParse, .judged = judged, .name = std::string(parse->name)};
  entry.list = {judged};
  if (text.empty()) {
    forward(frame);
  } else {
    ByteWriter writer;
    parse->text = text;
    write(FrontendMessage{*parse}, writer);
    append(to_server_, writer.view());
    drop(frame);
  }
  push(std::move(entry));
  return Taken::kYes;
}

// In one segment the unnamed one is replaced: if that fails, so does all that follows in it.
bool GuardedConnection::define(Names& names, std::string_view name, const Candidates& list) {
  Named& named = names[std::string(name)];
  if (named.segment == segment_ && name.empty()) {
    named.candidates.resize(named.fresh);
  } else {
    if (named.candidates.size() >= kMaximumCandidates && !pending_.empty()) return false;
    named.fresh = named.candidates.size();
    named.segment = segment_;
  }
  for (const JudgedPtr& judged : list) {
    if (std::ranges::find(named.candidates, judged) == named.candidates.end())
      named.candidates.push_back(judged);
  }
  return true;
}

// What a name of a prepared statement may mean: one that was parsed, or one that SQL prepared.
GuardedConnection::Candidates GuardedConnection::prepared_statement(std::string_view name) {
  if (const auto found = prepared_.find(name); found != prepared_.end())
    return found->second.candidates;
  if (judge_ == nullptr || session_.prepared(name).empty()) return {};
  Statement statement;
  statement.raw_verb = "EXECUTE";
  statement.changes.push_back({.kind = SessionChange::Kind::kExecute, .name = std::string(name)});
  return {judge_->judge(std::move(statement), session_)};
}

GuardedConnection::Taken GuardedConnection::take_bind(const ClientFrame& frame) {
  std::string_view body = as_text(frame.body());
  const auto portal = take_string(body);
  const auto statement = portal ? take_string(body) : std::nullopt;
  if (!statement) {
    break_off("names in Bind are too long");
    return Taken::kYes;
  }
  Candidates candidates = prepared_statement(*statement);
  if (candidates.empty() || (portals_.size() >= kMaximumNamed && !portals_.contains(*portal))) {
    if (ends_ > 0) return wait_for_answers();
    drop(frame);
    return fail_extended(candidates.empty()
                             ? unknown_statement(*statement)
                             : Refusal{.sqlstate = "53400", .message = "too many portals"});
  }
  if (!define(portals_, *portal, candidates)) return wait_for_answers();
  open_segment();
  Pending entry{.ask = Ask::kBind, .name = std::string(*portal)};
  entry.list = std::move(candidates);
  entry.bytes_in = frame.header.body;
  push(std::move(entry));
  return forward(frame);
}

GuardedConnection::Taken GuardedConnection::take_describe(const ClientFrame& frame) {
  auto message = parse_frontend(frame.frame());
  if (!message) {
    break_off(message.error().what);
    return Taken::kYes;
  }
  open_segment();
  push({.ask = Ask::kDescribe});
  return forward(frame);
}

GuardedConnection::Taken GuardedConnection::take_execute(const ClientFrame& frame) {
  auto message = parse_frontend(frame.frame());
  if (!message) {
    break_off(message.error().what);
    return Taken::kYes;
  }
  const Execute& execute = std::get<Execute>(*message);
  JudgedPtr judged;
  if (const auto found = portals_.find(execute.portal); found != portals_.end())
    judged = question_ ? question_->judged : strictest_of(found->second.candidates);
  if (judged == nullptr && !cursors_.contains(execute.portal)) {
    if (ends_ > 0) return wait_for_answers();
    drop(frame);
    return fail_extended({.sqlstate = "34000",
                          .message = fmt::format("portal \"{}\" does not exist", execute.portal)});
  }
  std::optional<policy::Verdict> settled;
  if (judged != nullptr && !judged->permitted()) {
    if (ends_ > 0) return wait_for_answers();
    if (!ask(judged, settled)) return Taken::kLater;
    if (auto refused = refusal(judged, settled)) {
      drop(frame);
      return refuse_extended(judged, std::move(*refused), std::move(settled));
    }
  }
  open_segment();
  segment_executes_ = true;
  forward(frame);
  // What a cursor of DECLARE reads was judged there.
  if (judged == nullptr) judged = judge_text("FETCH ALL");
  Pending entry{.ask = Ask::kExecute, .judged = std::move(judged)};
  entry.name = execute.portal;
  entry.settled = std::move(settled);
  entry.bytes_in = frame.header.body;
  return begin_execution(std::move(entry));
}

GuardedConnection::Taken GuardedConnection::take_close(const ClientFrame& frame) {
  auto message = parse_frontend(frame.frame());
  if (!message) {
    break_off(message.error().what);
    return Taken::kYes;
  }
  const Close& close = std::get<Close>(*message);
  open_segment();
  Pending entry{.ask = Ask::kClose, .name = std::string(close.name), .what = close.what};
  auto& known = close.what == 'S' ? prepared_ : portals_;
  if (const auto found = known.find(close.name); found != known.end())
    entry.list = found->second.candidates;
  push(std::move(entry));
  return forward(frame);
}

bool GuardedConnection::awaits_copy() const {
  return std::ranges::any_of(pending_, [](const Pending& entry) {
    return (entry.ask == Ask::kQuery || entry.ask == Ask::kExecute) && entry.judged->copies_in;
  });
}

GuardedConnection::Taken GuardedConnection::take_sync(const ClientFrame& frame) {
  // In the middle of COPY data the server ignores it.
  if (copy_in_) return forward(frame);
  if (awaits_copy()) return wait_for_answers();
  forward(frame);
  push({.ask = roll_back_at_sync_ ? Ask::kSilentSync : Ask::kSync});
  if (roll_back_at_sync_) {
    write_query("ROLLBACK", to_server_);
    push({.ask = Ask::kRollback});
  }
  skip_to_sync_ = roll_back_at_sync_ = false;
  close_segment();
  return Taken::kYes;
}

GuardedConnection::Taken GuardedConnection::take_function_call(const ClientFrame& frame) {
  Statement call;
  call.raw_verb = "FUNCTION_CALL";
  call.effects.push_back({.group = Group::kProcedural, .subtype = "function_call_protocol"});
  std::optional<policy::Verdict> settled;
  const JudgedPtr judged =
      question_ ? question_->judged
      : judge_ == nullptr || !allow_function_calls_
          ? denied_because({}, "allow_function_call_protocol is not set for the service")
          : judge_->judge(std::move(call), session_);
  if (!judged->permitted()) {
    if (ends_ > 0) return wait_for_answers();
    if (!ask(judged, settled)) return Taken::kLater;
    if (auto refused = refusal(judged, settled)) {
      drop(frame);
      return refuse_query(judged, std::move(*refused), "function_call", std::move(settled));
    }
  }
  close_segment();
  forward(frame);
  Pending entry{.ask = Ask::kFunctionCall, .judged = judged};
  entry.settled = std::move(settled);
  entry.bytes_in = frame.header.body;
  return begin_execution(std::move(entry));
}

GuardedConnection::Taken GuardedConnection::take_copy(const ClientFrame& frame) {
  if (!copy_in_) return awaits_copy() ? wait_for_answers() : drop(frame);
  if (frame.header.type != 'd') copy_in_ = false;
  if (!pending_.empty()) pending_.front().bytes_in += frame.header.body;
  return forward(frame);
}

}  // namespace agentsh::sql
