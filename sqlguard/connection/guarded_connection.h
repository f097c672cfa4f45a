// The guard on one logged-in connection, from the server's first ReadyForQuery on: each statement
// is judged before it is forwarded, and the answers are matched with what was asked.
//
// A sans-io engine. Its owner moves bytes:
//
//   engine.from_client(received)   -> to_server(), to_client() have what is to be written
//   engine.from_server(received, out) -> out has what is to be written to the client, in views of
//                                        `received` where nothing was changed; to_server() too
//   engine.question()              an approval is to be asked for: answer() with the verdict
//   engine.finished()              write what is there, then close both
//
// How the protocol is kept:
//   * Nothing is forwarded that was not decided. Bodies that are no statements (COPY data, values
//     of Bind) pass through in pieces.
//   * A refused statement gets its ErrorResponse in its turn, after the answers to what the client
//     sent before it, and the state in its ReadyForQuery is the server's own.
//   * A refusal in the middle of a pipeline has to undo what the pipeline did so far, as any error
//     would: the server is made to fail at that place (write_poison()).
//   * A result with more rows or bytes than the policy permits ends the connection, before the row
//     that is too many: the server is left, which undoes the transaction. The rows of a portal that
//     is executed in parts count together, those of a cursor's FETCHes do not.
//   * Inside a transaction the rule says: the connection ends (deny_mode_in_tx: terminate), or the
//     guard rolls back at the server and the session goes on.
//
// One thread: the connection's.
#pragma once

#include "policies/verdict.h"
#include "sqlguard/catalog/catalog_query.h"
#include "sqlguard/codec/frame.h"
#include "sqlguard/connection/answers.h"
#include "sqlguard/connection/judge.h"
#include "sqlguard/connection/outgoing.h"
#include "sqlguard/login/session_start.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

enum class DenyAction : std::uint8_t { kNone, kRollback, kTerminate };

// One statement, when its outcome is known, for the trail.
struct StatementRecord {
  JudgedPtr judged;
  std::size_t index = 0;  // Of the text's statements.
  // Of an approval; nothing: the decision itself was the last word.
  std::optional<policy::Verdict> settled = {};
  std::string_view protocol = "simple";  // "extended", "function_call".
  bool in_transaction = false;
  DenyAction deny_action = DenyAction::kNone;
  std::string error_code = {};  // SQLSTATE; empty: success, or nothing was executed.
  std::optional<std::uint64_t> rows = {};
  std::uint64_t bytes_in = 0, bytes_out = 0;  // Of statements and results, on the client's leg.
  std::chrono::nanoseconds latency{0};
  std::string rewritten = {};  // The text that the server got instead (redirect).
};

class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  virtual void completed(const StatementRecord& record) = 0;
  // The server was asked for its catalogue: at the session's start (`first`), or again after a
  // statement changed it. Null: it could not be had, for the reason said.
  virtual void looked_up(const std::shared_ptr<const CatalogAnswer>& answer, bool first,
                         std::string_view reason) = 0;
};

struct Question {
  JudgedPtr judged;
};

class GuardedConnection {
 public:
  static constexpr std::size_t kMaximumStatement = (1 << 20) + 64;  // Query and Parse, in bytes.
  static constexpr std::size_t kMaximumPending = 8192;              // Answers that are waited for.
  static constexpr std::size_t kMaximumNamed = 8192;  // Prepared statements and portals, each.

  struct Setup {
    Judge* judge = nullptr;                  // See use().
    ConnectionObserver* observer = nullptr;  // Outlives the connection.
    SessionState session = {};               // What is known when it starts.
    // What an equal session was told a moment ago; null: the server is asked.
    std::shared_ptr<const CatalogAnswer> catalog = {};
    std::string service = {};
    bool allow_function_calls = false;
  };
  explicit GuardedConnection(Setup setup);
  GuardedConnection(const GuardedConnection&) = delete;
  GuardedConnection& operator=(const GuardedConnection&) = delete;

  // The session starts: what the client gets, which may have to wait for the catalogue.
  void begin(ByteVector opening);

  // From now on statements are judged by this (rules were loaded anew). Null: the trail cannot be
  // written, so nothing is permitted.
  void use(Judge* judge) { judge_ = judge; }

  // Takes bytes of the client from the front and returns how many: fewer than all only while
  // is_held(), and then the rest is given again later. May be called without bytes to go on.
  std::size_t from_client(Bytes bytes);
  // The client sends no more.
  void client_ended();
  // Takes bytes of the server; those that are not taken are given again with more behind them.
  std::size_t from_server(Bytes bytes, Outgoing& out);

  // To be written and emptied by the owner. to_client() goes before anything that from_server()
  // gives later.
  ByteVector& to_server() { return to_server_; }
  ByteVector& to_client() { return to_client_; }

  // Nothing of the client is taken: an approval is open, or answers of the server have to come
  // first. After answer(), cancel() and from_server(), from_client() may go on.
  bool is_held() const { return held_ != Held::kNo; }
  // Of the approval that is waited for, else null.
  const Question* question() const { return question_ && !verdict_ ? &*question_ : nullptr; }
  void answer(policy::Verdict verdict);
  // The client asked for cancellation. True: it was the approval that was waited for, which is
  // denied by it; else the server is to be asked.
  bool cancel();

  bool finished() const { return finished_; }
  // It finished because the client ended it.
  bool client_left() const { return client_left_; }
  bool idle() const { return pending_.empty() && question_ == std::nullopt; }
  std::uint64_t statements() const { return statements_seen_; }
  const SessionState& session() const { return session_; }

 private:
  enum class Held : std::uint8_t { kNo, kAnswers, kApproval };
  enum class Taken : std::uint8_t { kYes, kLater };
  enum class Fate : std::uint8_t { kForward, kSwallow, kBroken };
  enum class Ask : std::uint8_t {
    kQuery,
    kParse,
    kBind,
    kDescribe,
    kExecute,
    kClose,
    kSync,
    kFunctionCall,
    kRefused,     // The client gets `reply`; with `poisoned` in place of the server's error.
    kTerminate,   // The client gets `reply` and the connection ends.
    kSilentSync,  // Its ReadyForQuery is not the client's.
    kRollback,    // Neither are the answers of this one, up to its ReadyForQuery.
    kCatalog,     // Nor of this: the guard asks for the catalogue.
  };
  using Candidates = std::vector<JudgedPtr>;
  // What a name of a statement or portal may mean at the server: several while it is not known
  // which of the messages that define it were executed.
  struct Named {
    Candidates candidates = {};
    std::uint64_t segment = 0;  // In which the last of them were added,
    std::size_t fresh = 0;      // from this one on.
  };
  using Names = std::map<std::string, Named, std::less<>>;
  static constexpr std::size_t kMaximumCandidates = 64;
  struct Pending {
    Ask ask;
    JudgedPtr judged = {};
    std::string name = {};
    char what = 0;  // Of Close.
    bool poisoned = false;
    bool failed = false;
    std::size_t statement = 0;  // Of a Query: the one that is answered.
    ByteVector reply = {};
    std::optional<policy::Verdict> settled = {};
    std::uint64_t bytes_in = 0;
    Candidates list = {};  // Of Bind and Parse: the new meaning; of Close: the old.
    std::chrono::steady_clock::time_point since = {};
    bool ends() const {
      return ask == Ask::kQuery || ask == Ask::kSync || ask == Ask::kFunctionCall ||
             ask == Ask::kSilentSync || ask == Ask::kRollback || ask == Ask::kCatalog;
    }
  };
  // A frame of the client, or as much of its front as is needed to decide on it.
  struct ClientFrame {
    FrameHeader header;
    Bytes raw;  // With the header.
    Bytes body() const { return raw.subspan(FrameHeader::kSize); }
    Frame frame() const { return {header.type, body(), header.size()}; }
  };

  // --- from the client (from_client.cc)
  Taken take_partial(Bytes bytes, std::size_t& at);
  Taken take_next(Bytes bytes, std::size_t& at);
  Taken take(const ClientFrame& frame);
  Taken dispatch(const ClientFrame& frame);
  Taken take_query(const ClientFrame& frame);
  Taken take_parse(const ClientFrame& frame);
  Taken take_bind(const ClientFrame& frame);
  Taken take_execute(const ClientFrame& frame);
  Taken take_describe(const ClientFrame& frame);
  Taken take_close(const ClientFrame& frame);
  Taken take_sync(const ClientFrame& frame);
  Taken take_function_call(const ClientFrame& frame);
  Taken take_copy(const ClientFrame& frame);
  // What comes of the frame after `raw` goes where that went.
  Taken forward(const ClientFrame& frame);
  Taken drop(const ClientFrame& frame);
  Taken begin_execution(Pending entry);
  // The text that the server gets instead of a redirected one.
  Result<std::string> rewritten(const Judged& judged) const;

  JudgedPtr judge_text(std::string_view text);
  JudgedPtr judge_again(const JudgedPtr& judged);
  std::uint64_t names_id();
  JudgedPtr strictest_of(const Candidates& candidates);
  JudgedPtr denied_because(std::string_view text, std::string reason) const;
  Candidates prepared_statement(std::string_view name);
  bool awaits_copy() const;

  // False: the answer is waited for.
  bool ask(const JudgedPtr& judged, std::optional<policy::Verdict>& settled);
  // Of a statement that may not run as it is: its refusal; nothing when it may.
  std::optional<Refusal> refusal(const JudgedPtr& judged,
                                 const std::optional<policy::Verdict>& settled) const;
  Taken wait_for_answers();
  // A refusal of what ends with a ReadyForQuery of its own (Query, FunctionCall), and of what is in
  // a pipeline.
  Taken refuse_query(const JudgedPtr& judged, Refusal refusal, std::string_view protocol,
                     std::optional<policy::Verdict> settled = {});
  Taken refuse_extended(const JudgedPtr& judged, Refusal refusal,
                        std::optional<policy::Verdict> settled = {});
  // An error that is not the policy's.
  Taken fail_extended(Refusal refusal);
  void break_off(std::string_view why);
  void record_refusal(const JudgedPtr& judged, std::string_view protocol, DenyAction action,
                      std::string sqlstate, std::optional<policy::Verdict> settled);
  DenyAction deny_action(const JudgedPtr& judged) const;
  bool predicted_in_transaction() const;
  void push(Pending entry);
  void open_segment() { segment_open_ = true; }
  void close_segment() {
    segment_open_ = segment_executes_ = false;
    ++segment_;
  }
  // False: too many meanings are open.
  bool define(Names& names, std::string_view name, const Candidates& list);

  // --- the catalogue (catalog_fetch.cc)
  void ask_for_catalog();
  // kLater: the statement waits until the catalogue is there.
  Taken renew_catalog();
  bool take_catalog(Bytes bytes, std::size_t& at, Outgoing& out);
  Fate catalog_frame(const Frame& frame, Bytes raw, Outgoing& out);
  void catalog_done(Outgoing& out);
  std::shared_ptr<const Catalog> catalog() const;

  // --- from the server (from_server.cc)
  Fate fate_of(char type, Bytes body, ByteVector& instead);
  Fate answer_of(char type, Bytes body);
  Fate answer_silently(char type, Bytes body, ByteVector& instead);
  Fate on_error(Bytes body);
  Fate on_complete(Bytes body);
  Fate on_ready(Bytes body);
  Fate pop_expected(Ask ask);
  void pop();
  static void settle(Names& names, const Pending& entry);
  void settle_parse(const Pending& entry);
  void settle_close(const Pending& entry);
  // Counts a row or a piece of COPY; true when it is more than the policy permits.
  bool exceeds_limits(const FrameHeader& header);
  void statement_done(Pending& entry, std::string_view tag, std::string error_code);
  void pop_to_sync();
  // Replies of the guard that are next in turn.
  void say_local_replies(ByteVector& out);
  void end_of_transaction(ReadyForQuery::State now);

  Judge* judge_;
  ConnectionObserver* observer_;
  SessionState session_;
  std::string service_;
  bool allow_function_calls_;

  ByteVector to_server_, to_client_;
  ByteVector partial_;  // A frame of the client that is not whole, or waits.
  std::uint32_t client_passing_ = 0;
  bool client_passing_forward_ = false;
  std::uint32_t server_passing_ = 0;
  bool server_passing_forward_ = false;

  std::deque<Pending> pending_;
  std::size_t ends_ = 0;           // Of them, those with a ReadyForQuery.
  bool segment_open_ = false;      // Extended messages were forwarded since the last Sync.
  bool segment_executes_ = false;  // An Execute is among them.
  bool skip_to_sync_ = false;
  bool flush_sent_ = false;
  bool roll_back_at_sync_ = false;
  bool front_in_transaction_ = false;                         // As of what was forwarded.
  ReadyForQuery::State state_ = ReadyForQuery::State::kIdle;  // The server's word.
  bool copy_in_ = false;
  bool failed_since_ready_ = false;
  std::string last_tag_;

  Held held_ = Held::kNo;
  std::optional<Question> question_;
  std::optional<policy::Verdict> verdict_;
  bool canceled_ = false;

  Names prepared_, portals_;
  std::uint64_t segment_ = 1;  // Counts what ends with a ReadyForQuery.
  std::set<std::string, std::less<>> cursors_;
  std::shared_ptr<const CatalogAnswer> catalog_;
  std::unique_ptr<CatalogReader> catalog_reader_;
  std::string catalog_failure_;
  bool catalog_changed_ = false;  // By a statement since it was asked for.
  ByteVector opening_;            // Until the first answer.
  bool opened_ = true;
  ByteVector server_partial_;  // A frame of the catalogue that is not whole.

  NameContext names_;
  std::shared_ptr<const Catalog> names_catalog_;
  std::uint64_t names_id_ = 0;
  std::uint64_t names_judge_ = 0;

  struct ResultUse {
    std::uint64_t rows = 0, bytes = 0;
  };
  ResultUse use_;                                            // Of the statement that is answered.
  std::map<std::string, ResultUse, std::less<>> suspended_;  // By portal, of earlier parts.

  std::uint64_t statements_seen_ = 0;
  std::uint64_t result_bytes_ = 0;  // To the client since the statement began to be answered.
  bool finished_ = false;
  bool client_left_ = false;
};

}  // namespace agentsh::sql
