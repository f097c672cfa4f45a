// What the rules of one service say about statement texts, kept by exact text: on the hot path the
// judgement of a statement is one look-up.
//
// A judgement depends on the text, the rules and the names that the session knows (search path,
// temporary relations); only statements that execute prepared ones depend on more and are judged
// anew each time. Rules are immutable: a Judge is for one version of them.
//
// One thread: a worker has a Judge of its own for each service. Bounded in bytes; the least
// recently used goes first.
#pragma once

#include "policies/model_database.h"
#include "sqlguard/catalog/catalog.h"
#include "sqlguard/classifier/analysis_cache.h"
#include "sqlguard/rules/database_rules.h"

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::sql {

// A text with what its statements do and what is decided about them. Immutable, shared.
struct Judged {
  std::string text;
  std::shared_ptr<const Analysis> analysis;
  std::vector<StatementDecision> decisions;  // As many as statements.
  policy::Decision decision = policy::Decision::kDeny;
  // The statement that decides; nothing for an empty query, which is allowed.
  const StatementDecision* strictest = nullptr;
  // Nothing of it changes the session, a transaction or the catalogue.
  bool reads_only = true;
  bool executes_prepared = false;  // Judged by what was prepared at that moment.
  bool has_transaction_steps = false;
  bool limits_results = false;  // A decision has max_rows or max_bytes.
  bool copies_in = false;       // COPY ... FROM STDIN: the client will send data.
  std::uint64_t names = 0;      // The session's names that it was judged with.
  std::uint64_t judge = 0;      // Who judged: Judge::id().
  std::string digest;           // "sha256:...", of the text without its constants.
  std::string redacted;         // The text without its constants.

  bool permitted() const {
    return decision == policy::Decision::kAllow || decision == policy::Decision::kAudit ||
           decision == policy::Decision::kRedirect;
  }
  bool needs_approval() const { return decision == policy::Decision::kApprove; }
};
using JudgedPtr = std::shared_ptr<const Judged>;

class Judge {
 public:
  Judge(std::shared_ptr<const DatabaseRules> rules, Dialect dialect,
        std::size_t max_bytes = 16 << 20);
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  // What a session knows of names: those of its own, and the server's catalogue, null where that
  // could not be had. `id` is names_id() of both.
  struct Names {
    const SessionState& session;
    std::shared_ptr<const Catalog> catalog;
    std::uint64_t id;
  };
  JudgedPtr judge(std::string_view text, const Names& names);
  // A statement that is no text: the execution of what SQL prepared under a name, a FunctionCall.
  JudgedPtr judge(Statement statement, const SessionState& session);

  // Equal names have one number; it is never 0.
  std::uint64_t names_id(const NameContext& names, const std::shared_ptr<const Catalog>& catalog);

  // Of this one alone, for as long as the process lives: a judgement may outlive its judge, whose
  // address another then has.
  std::uint64_t id() const { return id_; }
  const DatabaseRules& rules() const { return *rules_; }
  Dialect dialect() const { return dialect_; }
  std::uint64_t hits() const { return hits_; }

 private:
  struct Key {
    std::string_view text;  // Of the entry's Judged.
    std::uint64_t names;
    bool operator==(const Key&) const = default;
  };
  // Keyed: who sends statements must not be able to make them collide.
  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const Key& key) const;
  };
  struct Entry {
    JudgedPtr judged;
    std::size_t bytes;
  };
  using Entries = std::list<Entry>;  // The most recently used first.

  std::shared_ptr<Judged> make(std::string_view text, std::shared_ptr<const Analysis> analysis,
                               const SessionState& session, std::uint64_t names) const;
  struct KnownNames {
    std::uint64_t id;
    std::shared_ptr<const Catalog> catalog;  // Kept, so that its address means nothing else.
  };
  void keep(JudgedPtr judged);

  const std::uint64_t id_;
  std::shared_ptr<const DatabaseRules> rules_;
  Dialect dialect_;
  std::size_t max_bytes_;
  Entries entries_;
  std::unordered_map<Key, Entries::iterator, Hash> index_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::map<std::string, KnownNames, std::less<>> names_;
  std::uint64_t next_names_ = 1;
};

}  // namespace agentsh::sql
