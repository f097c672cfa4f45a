#include "sqlguard/rules/session_state.h"

#include <algorithm>
#include <array>
#include <utility>

namespace agentsh::sql {
namespace {

using Kind = SessionChange::Kind;

std::string folded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '-' || c == '_' || c == ' ') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

// Encodings that only clients use: bytes after the first may be ASCII (a backslash, a quote).
bool is_safe_encoding(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kUnsafe = {
      "sjis",   "mskanji",    "shiftjis", "win932", "windows932", "shiftjis2004", "big5",
      "win950", "windows950", "gbk",      "win936", "windows936", "uhc",          "gb18030"};
  const std::string wanted = folded(name);
  return std::ranges::find(kUnsafe, wanted) == kUnsafe.end() && wanted != "johab" &&
         wanted != "win949" && wanted != "windows949";
}

std::shared_ptr<const SessionState::Prepared> prepared_by(const Statement& statement) {
  return std::make_shared<const SessionState::Prepared>(
      SessionState::Prepared{statement.effects, statement.functions});
}

}  // namespace

SessionState::SessionState(std::optional<std::vector<std::string>> search_path)
    : session_search_path_(search_path), committed_search_path_(search_path) {
  names_.search_path = std::move(search_path);
}

SessionState::SessionState(NameContext names)
    : names_(std::move(names)),
      session_search_path_(names_.search_path),
      committed_search_path_(names_.search_path) {}

void SessionState::settle(std::string_view name, Candidates candidates) {
  if (prepared_.size() >= kMaximumPrepared && !prepared_.contains(name)) {
    const auto oldest =
        std::ranges::min_element(prepared_, {}, [](const auto& entry) { return entry.second.age; });
    prepared_.erase(oldest);
  }
  prepared_[std::string(name)] = {std::move(candidates), ++age_};
}

void SessionState::add_candidate(std::string_view name, const Statement& statement) {
  const auto found = prepared_.find(name);
  Candidates candidates = found == prepared_.end() ? Candidates() : found->second.candidates;
  candidates.push_back(prepared_by(statement));
  settle(name, std::move(candidates));
}

void SessionState::forwarded_parse(std::string_view name, const Statement& statement) {
  add_candidate(name, statement);
}

void SessionState::completed_parse(std::string_view name, const Statement& statement) {
  settle(name, {prepared_by(statement)});
}

std::vector<std::shared_ptr<const SessionState::Prepared>> SessionState::prepared(
    std::string_view name) const {
  const auto found = prepared_.find(name);
  return found == prepared_.end() ? Candidates() : found->second.candidates;
}

void SessionState::forget_search_path() {
  names_.search_path.reset();
  in_transaction_change_ = true;
}

void SessionState::forwarded(const Statement& statement) {
  for (const SessionChange& change : statement.changes) {
    switch (change.kind) {
      case Kind::kPrepare:
        add_candidate(change.name, statement);
        break;
      case Kind::kCreateTemporary:
        names_.temporary.insert(change.name);
        break;
      case Kind::kSet:
      case Kind::kReset:
        if (change.name == "search_path") names_.search_path.reset();
        if (change.name == "standard_conforming_strings" || change.name == "client_encoding")
          apply(change, statement);
        break;
      case Kind::kResetAll:
      case Kind::kDiscardAll:
      case Kind::kUnknownSetting:
        names_.search_path.reset();
        break;
      default:
        break;
    }
  }
}

void SessionState::completed(const Statement& statement) {
  for (const SessionChange& change : statement.changes) apply(change, statement);
}

void SessionState::failed(const Statement& statement) {
  // What was prepared under the name before is there still, and so is what may have been: both stay
  // candidates. A search path that was in doubt stays so until it is set anew.
  for (const SessionChange& change : statement.changes) {
    if (change.kind == Kind::kSet && change.name == "search_path") forget_search_path();
  }
}

void SessionState::apply(const SessionChange& change, const Statement& statement) {
  switch (change.kind) {
    case Kind::kSet:
      return set(change.name, change.values, change.local);
    case Kind::kReset:
      if (change.name == "search_path") {
        names_.search_path = session_search_path_;
        in_transaction_change_ = true;
      }
      return;
    case Kind::kUnknownSetting:
      return forget_search_path();
    case Kind::kResetAll:
      names_.search_path = session_search_path_;
      in_transaction_change_ = true;
      return;
    case Kind::kDiscardAll:
      names_.search_path = session_search_path_;
      committed_search_path_ = session_search_path_;
      names_.temporary.clear();
      prepared_.clear();
      return;
    case Kind::kDiscardTemp:
      names_.temporary.clear();
      return;
    case Kind::kPrepare:
      return settle(change.name, {prepared_by(statement)});
    case Kind::kDeallocate:
      if (change.name.empty())
        prepared_.clear();
      else
        prepared_.erase(change.name);
      return;
    case Kind::kCreateTemporary:
      names_.temporary.insert(change.name);
      return;
    case Kind::kDiscardPlans:
    case Kind::kExecute:
    case Kind::kDrop:  // May be undone: the name stays in doubt.
    case Kind::kDeclareCursor:
      return;
  }
}

void SessionState::set(const std::string& name, const std::vector<std::string>& values,
                       bool local) {
  if (name == "search_path") {
    names_.search_path = values;
    in_transaction_change_ = true;
    local_change_ = local_change_ || local;
  } else if (name == "standard_conforming_strings") {
    const std::string value = values.empty() ? "" : folded(values[0]);
    standard_strings_ = value == "on" || value == "true" || value == "yes" || value == "1";
  } else if (name == "client_encoding") {
    safe_encoding_ = !values.empty() && is_safe_encoding(values[0]);
  }
}

void SessionState::transaction_ended(bool committed) {
  if (!in_transaction_change_) return;
  if (!committed)
    names_.search_path = committed_search_path_;
  else if (local_change_)
    names_.search_path.reset();  // SET and SET LOCAL may both have been there.
  committed_search_path_ = names_.search_path;
  in_transaction_change_ = local_change_ = false;
}

void SessionState::looked_up(const std::vector<std::string>& search_path) {
  if (!session_search_path_) {
    session_search_path_ = committed_search_path_ = names_.search_path = search_path;
    in_transaction_change_ = local_change_ = false;
  } else if (!names_.search_path) {
    names_.search_path = search_path;
    in_transaction_change_ = true;
  }
}

void SessionState::reported(std::string_view parameter, std::string_view value) {
  if (parameter == "standard_conforming_strings") standard_strings_ = value == "on";
  if (parameter == "client_encoding") safe_encoding_ = is_safe_encoding(value);
}

}  // namespace agentsh::sql
