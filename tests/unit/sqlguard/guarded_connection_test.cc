// The engine of a guarded connection: scripts of what both sides send, cut at every place.
#include "sqlguard/connection/guarded_connection.h"

#include "policies/diagnostic.h"
#include "policies/loader.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::sql {
namespace {

constexpr std::string_view kPolicy = R"(
version: 1
name: test
db_services:
  main: {family: postgres, dialect: postgres, upstream: "db:5432", tls_mode: terminate_reissue}
database_rules:
  - {name: no-drop, operations: [DROP], decision: deny, message: "No.", deny_mode_in_tx: rollback_then_continue}
  - {name: no-privilege, operations: [privilege], decision: deny}
  - {name: ask, operations: [delete], decision: approve}
  - {name: rest, db_service: main, operations: ["*"], decision: allow}
)";

template <class Message>
std::string client(Message message) {
  ByteWriter out;
  write(FrontendMessage{std::move(message)}, out);
  return std::string(as_text(out.view()));
}
template <class Message>
std::string server(Message message) {
  ByteWriter out;
  write(BackendMessage{std::move(message)}, out);
  return std::string(as_text(out.view()));
}

std::string query(std::string_view text) {
  return client(Query{text});
}
std::string ready(char state) {
  return server(ReadyForQuery{static_cast<ReadyForQuery::State>(state)});
}
std::string complete(std::string_view tag) {
  return server(CommandComplete{tag});
}
std::string error(std::string_view code) {
  return server(Report{.is_error = true, .fields = {{'S', "ERROR"}, {'V', "ERROR"}, {'C', code}}});
}
std::string signal(char type) {
  return server(Signal{type});
}
std::string extended(std::string_view text) {
  return client(Parse{.name = "", .text = text, .parameter_types = {}}) +
         client(Bind{.portal = "",
                     .statement = "",
                     .parameter_formats = {},
                     .parameters = {},
                     .result_formats = {}}) +
         client(Execute{.portal = "", .rows = 0});
}
std::string poison() {
  ByteVector out;
  write_poison(out);
  return std::string(as_text(out));
}

// Types of the messages in a stream, as in "TDCZ"; of a ReadyForQuery its state too.
std::string types(std::string_view stream, Direction direction) {
  std::string result;
  Bytes rest = as_bytes(stream);
  while (!rest.empty()) {
    auto frame = read_frame(rest, direction);
    if (!frame || !*frame) return result + "?";
    result += (*frame)->type;
    if ((*frame)->type == 'Z') result += static_cast<char>((*frame)->body[0]);
    rest = rest.subspan((*frame)->size);
  }
  return result;
}

class Recorder final : public ConnectionObserver {
 public:
  void completed(const StatementRecord& record) override { records.push_back(record); }
  void looked_up(const std::shared_ptr<const CatalogAnswer>&, bool, std::string_view) override {}
  std::vector<StatementRecord> records;
};

std::shared_ptr<const DatabaseRules> rules(std::string_view text = kPolicy) {
  policy::Diagnostics problems("test");
  const auto policy = policy::load_policy(text, problems);
  EXPECT_TRUE(policy) << problems.to_error().what;
  auto compiled = DatabaseRules::compile(policy->database, policy->database.services.at(0));
  EXPECT_TRUE(compiled);
  return std::make_shared<const DatabaseRules>(std::move(*compiled));
}

// One side's turn: what it sends.
struct Turn {
  char side;  // 'c' or 's'; 'y' and 'n' answer the approval that is asked for.
  std::string bytes;
};

struct Outcome {
  std::string to_client, to_server;
  std::vector<StatementRecord> records;
  bool finished = false;
};

// Plays the turns, each in pieces of `piece` bytes.
Outcome play(const std::vector<Turn>& turns, std::size_t piece) {
  static const std::shared_ptr<const DatabaseRules> kRules = rules();
  Judge judge(kRules, Dialect::kPostgres);
  Recorder recorder;
  auto catalog = std::make_shared<CatalogAnswer>();
  catalog->session.search_path = {"public"};
  GuardedConnection engine(
      {.judge = &judge, .observer = &recorder, .session = {}, .catalog = std::move(catalog)});
  Outcome outcome;
  engine.begin({});
  std::string waiting, from_server;
  const auto collect = [&] {
    outcome.to_client += as_text(engine.to_client());
    outcome.to_server += as_text(engine.to_server());
    engine.to_client().clear();
    engine.to_server().clear();
  };
  const auto pump_client = [&] {
    waiting.erase(0, engine.from_client(as_bytes(waiting)));
    collect();
  };
  for (const Turn& turn : turns) {
    if (turn.side == 'y' || turn.side == 'n') {
      EXPECT_NE(engine.question(), nullptr);
      engine.answer(turn.side == 'y' ? policy::Verdict::allow("ask")
                                     : policy::Verdict::deny("ask", "not now"));
      pump_client();
      continue;
    }
    for (std::size_t at = 0; at < turn.bytes.size(); at += piece) {
      const std::string part = turn.bytes.substr(at, piece);
      if (turn.side == 'c') {
        waiting += part;
        pump_client();
        continue;
      }
      from_server += part;
      Outgoing out;
      const std::size_t taken = engine.from_server(as_bytes(from_server), out);
      for (const Bytes bytes : out.parts()) outcome.to_client += as_text(bytes);
      from_server.erase(0, taken);
      collect();
      pump_client();
    }
  }
  outcome.records = recorder.records;
  outcome.finished = engine.finished();
  return outcome;
}

// The same outcome however the bytes are cut.
void check(const std::vector<Turn>& turns, const std::function<void(const Outcome&)>& expect) {
  for (const std::size_t piece : {1u, 2u, 3u, 5u, 7u, 11u, 64u, 100'000u}) {
    SCOPED_TRACE(piece);
    expect(play(turns, piece));
  }
}

std::string sent(const Outcome& outcome) {
  return types(outcome.to_server, Direction::kFrontend);
}
std::string told(const Outcome& outcome) {
  return types(outcome.to_client, Direction::kBackend);
}

TEST(GuardedConnection, ForwardsWhatIsPermittedAsItIs) {
  const std::string statement = query("SELECT 1");
  const std::string answer =
      server(RowDescription{}) + server(DataRow{}) + complete("SELECT 1") + ready('I');
  check({{'c', statement}, {'s', answer}}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.to_server, statement);
    EXPECT_EQ(outcome.to_client, answer);
    ASSERT_EQ(outcome.records.size(), 1u);
    EXPECT_EQ(outcome.records[0].rows, 1u);
  });
}

TEST(GuardedConnection, RefusesWithoutForwarding) {
  check({{'c', query("DROP TABLE a")}}, [](const Outcome& outcome) {
    EXPECT_EQ(outcome.to_server, "");
    EXPECT_EQ(told(outcome), "EZI");
    EXPECT_NE(outcome.to_client.find("42501"), std::string::npos);
    EXPECT_NE(outcome.to_client.find("no-drop: No."), std::string::npos);
    EXPECT_EQ(outcome.records.size(), 1u);
  });
}

TEST(GuardedConnection, OneRefusedStatementRefusesTheWholeText) {
  check({{'c', query("SELECT 1; DROP TABLE a; SELECT 2")}}, [](const Outcome& outcome) {
    EXPECT_EQ(outcome.to_server, "");
    EXPECT_EQ(told(outcome), "EZI");
  });
}

TEST(GuardedConnection, ARefusalWaitsForItsTurn) {
  check({{'c', query("SELECT 1") + query("DROP TABLE a") + query("SELECT 2")},
         {'s', complete("SELECT 1") + ready('I')},
         {'s', complete("SELECT 2") + ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "QQ");
          EXPECT_EQ(told(outcome), "CZIEZICZI");
        });
}

TEST(GuardedConnection, RollsBackInATransaction) {
  check({{'c', query("BEGIN")},
         {'s', complete("BEGIN") + ready('T')},
         {'c', query("DROP TABLE a")},
         {'s', complete("ROLLBACK") + ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "QQ");
          EXPECT_NE(outcome.to_server.find("ROLLBACK"), std::string::npos);
          EXPECT_EQ(told(outcome), "CZTEZI");
          EXPECT_EQ(outcome.records.back().deny_action, DenyAction::kRollback);
          EXPECT_FALSE(outcome.finished);
        });
}

TEST(GuardedConnection, EndsTheConnectionInATransaction) {
  check({{'c', query("BEGIN")},
         {'s', complete("BEGIN") + ready('T')},
         {'c', query("GRANT ALL ON a TO b")}},
        [](const Outcome& outcome) {
          EXPECT_EQ(told(outcome), "CZTE");
          EXPECT_NE(outcome.to_client.find("FATAL"), std::string::npos);
          EXPECT_TRUE(outcome.finished);
        });
}

TEST(GuardedConnection, SkipsARefusedPipelineToItsSync) {
  check(
      {{'c', extended("DROP TABLE a") + extended("SELECT 1") + client(Sync{})}, {'s', ready('I')}},
      [](const Outcome& outcome) {
        EXPECT_EQ(sent(outcome), "S");
        EXPECT_EQ(told(outcome), "EZI");
      });
}

TEST(GuardedConnection, UndoesWhatARefusedPipelineDid) {
  const std::string insert = extended("INSERT INTO a VALUES (1)");
  check({{'c', insert + extended("DROP TABLE a") + client(Sync{})},
         {'s',
          signal('1') + signal('2') + complete("INSERT 0 1") + error(kPoisonState) + ready('I')}},
        [&](const Outcome& outcome) {
          EXPECT_EQ(outcome.to_server, insert + poison() + client(Sync{}));
          EXPECT_EQ(told(outcome), "12CEZI");
          EXPECT_NE(outcome.to_client.find("42501"), std::string::npos);
          EXPECT_EQ(outcome.to_client.find(kPoisonState), std::string::npos);
        });
}

TEST(GuardedConnection, ARefusalBehindAnErrorOfTheServerIsNotTold) {
  check({{'c', extended("INSERT INTO a VALUES (1)") + extended("DROP TABLE a") + client(Sync{})},
         {'s', signal('1') + signal('2') + error("23505") + ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(told(outcome), "12EZI");
          EXPECT_EQ(outcome.to_client.find("42501"), std::string::npos);
        });
}

TEST(GuardedConnection, ForwardsPipelinesAndMatchesAnswers) {
  check({{'c', extended("SELECT 1") + extended("SELECT 2") + client(Sync{}) + extended("SELECT 3") +
                   client(Sync{})},
         {'s', signal('1') + signal('2') + complete("SELECT 1") + signal('1') + signal('2') +
                   error("22012") + ready('I') + signal('1') + signal('2') + complete("SELECT 1") +
                   ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(told(outcome), "12C12EZI12CZI");
          ASSERT_EQ(outcome.records.size(), 3u);
          EXPECT_EQ(outcome.records[1].error_code, "22012");
        });
}

TEST(GuardedConnection, AfterAnErrorNothingIsForwardedBeforeTheSync) {
  check({{'c', client(Parse{.name = "", .text = "SELECT nothing", .parameter_types = {}}) +
                   client(Flush{})},
         {'s', error("42703")},
         {'c', extended("SELECT 1") + client(Sync{})},
         {'s', ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "PHS");
          EXPECT_EQ(told(outcome), "EZI");
        });
}

TEST(GuardedConnection, ASkippedParseDoesNotChangeWhatANameMeans) {
  // The second segment fails at its first message, so "" stays what asks for an approval.
  check({{'c', client(Parse{.name = "", .text = "DELETE FROM a", .parameter_types = {}}) +
                   client(Sync{})},
         {'s', signal('1') + ready('I')},
         {'c', client(Parse{.name = "x", .text = "SELECT nothing", .parameter_types = {}}) +
                   client(Parse{.name = "", .text = "SELECT 1", .parameter_types = {}}) +
                   client(Sync{}) +
                   client(Bind{.portal = "",
                               .statement = "",
                               .parameter_formats = {},
                               .parameters = {},
                               .result_formats = {}}) +
                   client(Execute{.portal = "", .rows = 0}) + client(Sync{})},
         {'s', error("42703") + ready('I')},
         {'n', {}},
         {'s', signal('2') + ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome).find('E'), std::string::npos);
          EXPECT_EQ(told(outcome), "1ZIEZI2EZI");
        });
}

TEST(GuardedConnection, HoldsForAnApproval) {
  check({{'c', query("DELETE FROM a") + query("SELECT 1")},
         {'y', {}},
         {'s', complete("DELETE 3") + ready('I') + complete("SELECT 1") + ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "QQ");
          EXPECT_EQ(told(outcome), "CZICZI");
          EXPECT_EQ(outcome.records[0].rows, 3u);
        });
  check({{'c', query("DELETE FROM a")}, {'n', {}}}, [](const Outcome& outcome) {
    EXPECT_EQ(outcome.to_server, "");
    EXPECT_EQ(told(outcome), "EZI");
  });
}

TEST(GuardedConnection, CopyDataPassesOnlyWhileItIsAskedFor) {
  const std::string data = client(CopyData{as_bytes("1\n")});
  const CopyResponse wanted{.way = CopyResponse::Way::kIn, .format = 0, .column_formats = {}};
  check({{'c', data + query("COPY a FROM STDIN") + data},
         {'s', server(wanted)},
         {'c', data + client(CopyDone{})},
         {'s', complete("COPY 2") + ready('I')},
         {'c', data}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "Qddc");
          EXPECT_EQ(told(outcome), "GCZI");
        });
}

TEST(GuardedConnection, AStatementDuringCopyBreaksOff) {
  const CopyResponse wanted{.way = CopyResponse::Way::kIn, .format = 0, .column_formats = {}};
  check({{'c', query("COPY a FROM STDIN")}, {'s', server(wanted)}, {'c', query("SELECT 1")}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "Q");
          EXPECT_TRUE(outcome.finished);
        });
}

TEST(GuardedConnection, FunctionCallsAreRefused) {
  check({{'c', client(FunctionCall{
                   .function = 1, .argument_formats = {}, .arguments = {}, .result_format = 0})}},
        [](const Outcome& outcome) {
          EXPECT_EQ(outcome.to_server, "");
          EXPECT_EQ(told(outcome), "EZI");
        });
}

TEST(GuardedConnection, PreparedBySqlIsJudgedWhenItIsExecuted) {
  check({{'c', query("PREPARE p AS DROP TABLE a")}, {'c', query("EXECUTE p")}},
        [](const Outcome& outcome) {
          EXPECT_EQ(outcome.to_server, "");
          EXPECT_EQ(told(outcome), "EZIEZI");
        });
}

TEST(GuardedConnection, UnknownStatementsAndPortalsAreNotForwarded) {
  check({{'c', client(Bind{.portal = "",
                           .statement = "nothing",
                           .parameter_formats = {},
                           .parameters = {},
                           .result_formats = {}}) +
                   client(Execute{.portal = "", .rows = 0}) + client(Sync{})},
         {'s', ready('I')}},
        [](const Outcome& outcome) {
          EXPECT_EQ(sent(outcome), "S");
          EXPECT_EQ(told(outcome), "EZI");
          EXPECT_NE(outcome.to_client.find("26000"), std::string::npos);
        });
}

TEST(GuardedConnection, WhatTheServerMayReadOtherwiseIsUnknown) {
  check({{'s', server(ParameterStatus{"client_encoding", "SJIS"})},
         {'c', query("SELECT '\x83\x5c'; SELECT 1")}},
        [](const Outcome& outcome) { EXPECT_EQ(outcome.to_server, ""); });
}

TEST(GuardedConnection, AnswersThatWereNotAskedForBreakOff) {
  for (const std::string& answer :
       {complete("SELECT 1"), ready('I'), signal('1'), error("00000")}) {
    const Outcome outcome = play({{'c', client(Sync{})}, {'s', ready('I')}, {'s', answer}}, 100);
    EXPECT_EQ(outcome.finished, answer != error("00000"));
  }
}

// A judgement may outlive its judge, and a later one may have its address.
TEST(GuardedConnection, WhatWasPreparedIsJudgedByTheRulesOfTheMoment) {
  const std::string stricter =
      std::string(kPolicy) + "  - {name: closed, operations: [read], decision: deny}\n";
  std::optional<Judge> judge(std::in_place, rules(), Dialect::kPostgres);
  auto catalog = std::make_shared<CatalogAnswer>();
  catalog->session.search_path = {"public"};
  GuardedConnection engine({.judge = &*judge, .session = {}, .catalog = std::move(catalog)});
  engine.begin({});
  const auto bound = [](std::string_view statement) {
    return client(Bind{.portal = "",
                       .statement = statement,
                       .parameter_formats = {},
                       .parameters = {},
                       .result_formats = {}}) +
           client(Execute{.portal = "", .rows = 0}) + client(Sync{});
  };
  const std::string prepare =
      client(Parse{.name = "s", .text = "SELECT a FROM t", .parameter_types = {}});
  const std::string all = prepare + bound("s");
  EXPECT_EQ(engine.from_client(as_bytes(all)), all.size());
  Outgoing out;
  engine.from_server(as_bytes(signal('1') + signal('2') + complete("SELECT 0") + ready('I')), out);
  EXPECT_EQ(types(as_text(engine.to_server()), Direction::kFrontend), "PBES");
  engine.to_server().clear();

  judge.emplace(rules(stricter), Dialect::kPostgres);
  engine.use(&*judge);
  const std::string again = bound("s");
  engine.from_client(as_bytes(again));
  const std::string sent = types(as_text(engine.to_server()), Direction::kFrontend);
  EXPECT_EQ(sent.find('E'), std::string::npos) << sent;
}

}  // namespace
}  // namespace agentsh::sql
