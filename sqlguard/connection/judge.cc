#include "sqlguard/connection/judge.h"

#include "base/encoding.h"
#include "base/random.h"
#include "sqlguard/catalog/resolution.h"
#include "sqlguard/connection/redacted_text.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace agentsh::sql {
namespace {

constexpr std::size_t kEntryOverhead = 600;  // Nodes, the analysis and its decisions.
constexpr std::size_t kMaximumNames = 256;   // Each may keep a catalogue alive.

std::uint64_t next_judge() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  fill_random({reinterpret_cast<std::uint8_t*>(&seed), sizeof(seed)});
  return seed;
}

// FNV-1a over eight bytes at a time, from a secret start.
std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 29;
    text.remove_prefix(8);
  }
  std::uint64_t word = text.size();
  for (const char c : text) word = word << 8 | static_cast<unsigned char>(c);
  hash = (hash ^ word) * kPrime;
  return hash ^ hash >> 32;
}

bool copies_from_client(const Statement& statement) {
  return std::ranges::any_of(
      statement.effects, [](const Effect& effect) { return effect.subtype == "copy_from_stdin"; });
}

bool executes(const Statement& statement) {
  return std::ranges::any_of(statement.changes, [](const SessionChange& change) {
    return change.kind == SessionChange::Kind::kExecute;
  });
}

}  // namespace

std::size_t Judge::Hash::operator()(const Key& key) const {
  return mix(seed ^ key.names * 0x2545F4914F6CDD1DULL, key.text);
}

Judge::Judge(std::shared_ptr<const DatabaseRules> rules, Dialect dialect, std::size_t max_bytes)
    : id_(next_judge()),
      rules_(std::move(rules)),
      dialect_(dialect),
      max_bytes_(max_bytes),
      index_(64, Hash{random_seed()}) {}

std::shared_ptr<Judged> Judge::make(std::string_view text, std::shared_ptr<const Analysis> analysis,
                                    const SessionState& session, std::uint64_t names) const {
  auto judged = std::make_shared<Judged>();
  judged->text = text;
  judged->names = names;
  judged->judge = id_;
  for (const Statement& statement : analysis->statements) {
    judged->executes_prepared |= executes(statement);
    judged->has_transaction_steps |= statement.transaction != TransactionStep::kNone;
    judged->copies_in |= copies_from_client(statement);
    judged->reads_only &= statement.changes.empty() && !changes_catalog(statement) &&
                          statement.transaction == TransactionStep::kNone;
  }
  if (analysis->statements.size() == 1)
    judged->decisions.push_back(rules_->decide(analysis->statements[0], session));
  else if (!analysis->statements.empty())
    judged->decisions = rules_->decide(*analysis, session);
  judged->limits_results =
      std::ranges::any_of(judged->decisions, [](const StatementDecision& decision) {
        return decision.limits.max_rows || decision.limits.max_bytes;
      });
  judged->strictest = strictest(judged->decisions);
  judged->decision =
      judged->strictest == nullptr ? policy::Decision::kAllow : judged->strictest->decision;
  judged->analysis = std::move(analysis);
  judged->redacted = without_constants(text);
  judged->digest = digest_of(judged->redacted);
  return judged;
}

void Judge::keep(JudgedPtr judged) {
  const std::size_t bytes = 2 * judged->text.size() + kEntryOverhead;
  if (bytes > max_bytes_ / 100) return;
  while (bytes_ + bytes > max_bytes_ && !entries_.empty()) {
    const Entry& oldest = entries_.back();
    index_.erase({oldest.judged->text, oldest.judged->names});
    bytes_ -= oldest.bytes;
    entries_.pop_back();
  }
  const Key key{judged->text, judged->names};
  entries_.push_front({std::move(judged), bytes});
  index_.emplace(key, entries_.begin());
  bytes_ += bytes;
}

JudgedPtr Judge::judge(std::string_view text, const Names& names) {
  const auto found = index_.find({text, names.id});
  if (found != index_.end()) {
    ++hits_;
    if (found->second != entries_.begin())
      entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->judged;
  }
  auto analysis = std::make_shared<Analysis>(classify(text, dialect_));
  for (Statement& statement : analysis->statements)
    statement = resolve(std::move(statement), names.session.names(), names.catalog.get());
  auto judged = make(text, std::move(analysis), names.session, names.id);
  if (!judged->executes_prepared) keep(judged);
  return judged;
}

JudgedPtr Judge::judge(Statement statement, const SessionState& session) {
  auto analysis = std::make_shared<Analysis>();
  analysis->dialect = dialect_;
  analysis->statements.push_back(std::move(statement));
  auto judged = make({}, std::move(analysis), session, 0);
  judged->executes_prepared = true;  // Not by its text, which it does not have.
  return judged;
}

std::uint64_t Judge::names_id(const NameContext& names,
                              const std::shared_ptr<const Catalog>& catalog) {
  std::string key = std::to_string(reinterpret_cast<std::uintptr_t>(catalog.get()));
  const auto add = [&key](const std::string& name) {
    key += '\0';
    key += name;
  };
  add(names.search_path ? "path" : "unknown");
  if (names.search_path) std::ranges::for_each(*names.search_path, add);
  add({});
  std::ranges::for_each(names.temporary, add);
  if (const auto found = names_.find(key); found != names_.end()) return found->second.id;
  if (names_.size() >= kMaximumNames) names_.clear();
  names_[key] = {next_names_, catalog};
  return next_names_++;
}

}  // namespace agentsh::sql
