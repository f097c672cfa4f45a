// What the guard knows of one session's names and prepared statements, for judging what comes next.
//
// A change counts from when the statement that makes it is forwarded as one that may come true, and
// for certain once the server has completed it: in between, what it prepares and what was there
// before are both judged. What is not certain is unknown (no search path), never guessed.
//
// One thread: the connection's.
#pragma once

#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/name_resolution.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class SessionState {
 public:
  // Prepared statements beyond this many are forgotten, oldest first: their execution is refused.
  static constexpr std::size_t kMaximumPrepared = 4096;

  struct Prepared {
    std::vector<Effect> effects;
    std::vector<CalledFunction> functions;
  };

  // `search_path`: of a new session (its startup parameters, the catalogue); nothing if unknown.
  SessionState() = default;
  explicit SessionState(std::optional<std::vector<std::string>> search_path);

  // With names that are known already, for looking at text offline.
  explicit SessionState(NameContext names);

  const NameContext& names() const { return names_; }
  // Text is read as the parser reads it: standard strings, an encoding in which no byte of a longer
  // character is ASCII. Else statements with such bytes are not understood.
  bool reads_text_as_parser() const { return standard_strings_ && safe_encoding_; }

  // The statement goes to the server; afterwards it completed, or failed (with all that its
  // transaction or pipeline then undoes).
  void forwarded(const Statement& statement);
  void completed(const Statement& statement);
  void failed(const Statement& statement);
  // Parse of the extended protocol, with a name: SQL EXECUTE reaches these too.
  void forwarded_parse(std::string_view name, const Statement& statement);
  void completed_parse(std::string_view name, const Statement& statement);
  void closed(std::string_view name) { prepared_.erase(std::string(name)); }
  // The server reports the end of the transaction (ReadyForQuery 'I' after 'T' or 'E').
  void transaction_ended(bool committed);
  // The server was asked in which schemas names are looked up, at the session's start: that is also
  // what RESET returns to. Later answers count only while the path is unknown.
  void looked_up(const std::vector<std::string>& search_path);
  // ParameterStatus.
  void reported(std::string_view parameter, std::string_view value);

  // All that an EXECUTE of the name may run: one entry, several while it is unsettled, none if the
  // name is not known.
  std::vector<std::shared_ptr<const Prepared>> prepared(std::string_view name) const;

 private:
  using Candidates = std::vector<std::shared_ptr<const Prepared>>;
  struct Slot {
    Candidates candidates;
    std::size_t age;
  };

  void apply(const SessionChange& change, const Statement& statement);
  void set(const std::string& name, const std::vector<std::string>& values, bool local);
  void forget_search_path();
  void settle(std::string_view name, Candidates candidates);
  void add_candidate(std::string_view name, const Statement& statement);

  NameContext names_;
  std::optional<std::vector<std::string>> session_search_path_;  // The default, for RESET.
  std::optional<std::vector<std::string>> committed_search_path_;
  bool in_transaction_change_ = false;
  bool local_change_ = false;
  bool standard_strings_ = true;
  bool safe_encoding_ = true;
  std::map<std::string, Slot, std::less<>> prepared_;
  std::size_t age_ = 0;
};

}  // namespace agentsh::sql
