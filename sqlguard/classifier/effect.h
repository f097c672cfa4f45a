// What a statement does: effects on objects, in the 18 groups that the rules of a policy name.
//
// Values only, independent of a session: names are as the statement writes them (folded as
// PostgreSQL folds them), and how sure one can be of what a name means is resolution_of(), which
// needs to know the session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

enum class Group : std::uint8_t {
  kRead = 1,
  kWrite,
  kModify,
  kDelete,
  kBulkLoad,
  kBulkExport,
  kSchemaCreate,
  kSchemaAlter,
  kSchemaDestroy,
  kPrivilege,
  kTransaction,
  kSession,
  kMaintenance,
  kLock,
  kNotify,
  kProcedural,
  kUnsafeIo,
  kUnknown,
};
inline constexpr int kGroups = 18;

// The word that policies and events use: "read", "unsafe_io".
std::string_view name_of(Group group);
// 0 for the group that decides what a statement with several effects is called, and so on up:
// critical before high before medium before low, and inside these a fixed order.
int precedence_of(Group group);

enum class ObjectKind : std::uint8_t {
  kTable,
  kView,
  kMaterializedView,
  kForeignTable,
  kSequence,
  kIndex,
  kFunction,
  kType,
  kSchema,
  kDatabase,
  kRole,
  kGuc,
  kExternalEndpoint,
  kFilesystemPath,
  kProgram,
  kSubscription,
  kPublication,
  kServer,
  kUserMapping,
  kTablespace,
  kExtension,
  kForeignDataWrapper,
  kLanguage,
  kTrigger,
  kRule,
  kPolicy,
  kEventTrigger,
  kOperator,
  kCollation,
  kConversion,
  kStatistics,
  kTextSearch,
  kCast,
  kTransform,
  kAccessMethod,
  kLargeObject,
};
std::string_view name_of(ObjectKind kind);
// Do objects of the kind live in schemas, so that a name without one is looked up on the search
// path?
bool lives_in_schema(ObjectKind kind);

// What a look-up in the server's catalogue made of a name.
enum class Lookup : std::uint8_t { kNone, kResolved, kUnresolved, kUnavailable };

struct Object {
  ObjectKind kind = ObjectKind::kTable;
  std::string schema = {};  // Empty: the statement does not say.
  std::string name = {};
  std::string host = {};   // kExternalEndpoint.
  std::uint16_t port = 0;  // kExternalEndpoint; 0 when unsaid.
  std::string path = {};   // kFilesystemPath.
  std::string argv0 = {};  // kProgram: its first word.
  Lookup lookup = Lookup::kNone;
  // Reached through a view that the statement names: rules that deny it count, none need cover it.
  bool implied = false;

  bool operator==(const Object&) const = default;
};

// The text that the `objects` globs of a rule see: a name, or the endpoint's host, the path, the
// program's first word.
std::string_view selectable_name(const Object& object);

struct Effect {
  Group group = Group::kUnknown;
  std::string_view subtype = {};  // Static text; empty when the group has none for it.
  std::vector<Object> objects = {};
  bool has_where = false;  // Modify and delete: is there a WHERE at the statement's top?
};

// The primary one first; those of one group in the order of the tree.
void order_by_precedence(std::vector<Effect>& effects);

// A function that a statement calls and that has no entry in the table of side effects.
struct CalledFunction {
  std::string schema = {};
  std::string name = {};
  bool may_do_anything = false;  // The catalogue says so, or cannot be asked.
  bool operator==(const CalledFunction&) const = default;
};

// What a statement does to the session that it runs in, for whoever keeps track.
struct SessionChange {
  enum class Kind : std::uint8_t {
    kSet,    // name, values: a setting (lower case), also by set_config() and SET LOCAL.
    kReset,  // name: a setting returns to its default.
    kResetAll,
    kUnknownSetting,  // set_config() with a name or value that is computed.
    kDiscardAll,
    kDiscardTemp,
    kDiscardPlans,
    kPrepare,          // name: a prepared statement; its effects are those of this statement.
    kExecute,          // name.
    kDeallocate,       // name; empty for all.
    kCreateTemporary,  // name: a table, view or sequence of pg_temp.
    kDrop,             // name: a relation is gone, maybe a temporary one.
    kDeclareCursor,    // name.
  };
  Kind kind;
  std::string name = {};
  std::vector<std::string> values = {};
  bool local = false;  // Until the transaction ends.
};

enum class TransactionStep : std::uint8_t {
  kNone,
  kBegin,
  kCommit,
  kRollback,
  kSavepoint,
  kRelease,
  kRollbackTo,
  kPrepare,
  kCommitPrepared,
  kRollbackPrepared,
};

struct Statement {
  std::string raw_verb = {};         // "SELECT", "COPY_TO_PATH", "SET_SEARCH_PATH=a,b".
  std::vector<Effect> effects = {};  // The primary one first.
  std::string error = {};            // Why there is an unknown effect.
  std::string_view parser = "libpg_query";
  std::uint32_t begin = 0;  // Where in the text, in bytes.
  std::uint32_t length = 0;
  TransactionStep transaction = TransactionStep::kNone;
  std::vector<SessionChange> changes = {};
  std::vector<CalledFunction> functions = {};

  Group primary_group() const { return effects.empty() ? Group::kUnknown : effects[0].group; }
};

}  // namespace agentsh::sql
