// max_rows and max_bytes on a guarded connection.
#include "sqlguard/connection/guarded_connection.h"
#include "tests/unit/sqlguard/policy_yaml.h"

#include <gtest/gtest.h>

namespace agentsh::sql {
namespace {

class ResultLimits : public testing::Test {
 protected:
  explicit ResultLimits(const std::string& limits = "max_rows: 2, max_bytes: 1000")
      : judge_(std::make_shared<const DatabaseRules>(rules_of(
                   "  - {name: r, operations: [read, bulk_export, transaction], decision: allow, " +
                   limits + "}\n")),
               Dialect::kPostgres),
        engine_({.judge = &judge_, .session = SessionState(std::vector<std::string>{"public"})}) {}

  void SetUp() override { start(engine_); }
  // An engine that looks names up asks the server for its catalogue first, and does not get it
  // here.
  template <class Engine>
  void start(Engine& engine) {
    if constexpr (requires { engine.begin(ByteVector{}); }) {
      engine.begin({});
      engine.to_server().clear();
      answer({Report{.is_error = true, .fields = {{'S', "ERROR"}, {'C', "42501"}, {'M', "no"}}},
              ready_});
      engine.to_server().clear();
    }
  }

  void ask(const FrontendMessage& message) {
    ByteWriter out;
    write(message, out);
    EXPECT_EQ(engine_.from_client(out.view()), out.size());
    engine_.to_server().clear();
  }
  // What the client gets, by the types of its messages; cut into single bytes as well as whole.
  std::string answer(const std::vector<BackendMessage>& messages) {
    ByteWriter stream;
    for (const BackendMessage& message : messages) write(message, stream);
    Outgoing out;
    engine_.from_server(stream.view(), out);
    std::string bytes;
    for (const Bytes part : out.parts()) bytes += as_text(part);
    std::string types;
    for (std::size_t at = 0; at < bytes.size();) {
      const auto frame =
          read_frame(as_bytes(std::string_view(bytes).substr(at)), Direction::kBackend);
      if (!frame || !*frame) return types + "?";
      types += (*frame)->type;
      at += (*frame)->size;
    }
    return types;
  }

  Judge judge_;
  GuardedConnection engine_;
  const BackendMessage row_ = DataRow{{WireValue(as_bytes("1"))}};
  const BackendMessage done_ = CommandComplete{"SELECT 2"};
  const BackendMessage ready_ = ReadyForQuery{ReadyForQuery::State::kIdle};
};

TEST_F(ResultLimits, HoldForEachStatement) {
  for (int i = 0; i < 2; ++i) {
    ask(Query{"SELECT a FROM t"});
    EXPECT_EQ(answer({RowDescription{}, row_, row_, done_, ready_}), "TDDCZ");
    EXPECT_FALSE(engine_.finished());
  }
  ask(Query{"SELECT a FROM t; SELECT b FROM t"});
  EXPECT_EQ(
      answer({RowDescription{}, row_, row_, done_, RowDescription{}, row_, row_, done_, ready_}),
      "TDDCTDDCZ");
  ask(Query{"SELECT a FROM t"});
  EXPECT_EQ(answer({RowDescription{}, row_, row_, row_, row_}), "TDDE");
  EXPECT_TRUE(engine_.finished());
}

TEST_F(ResultLimits, CountBytes) {
  const std::string large(600, 'x');
  ask(Query{"SELECT a FROM t"});
  EXPECT_EQ(answer({RowDescription{}, DataRow{{WireValue(as_bytes(large))}},
                    DataRow{{WireValue(as_bytes(large))}}, done_, ready_}),
            "TDE");
  EXPECT_TRUE(engine_.finished());
}

TEST_F(ResultLimits, HoldForCopy) {
  ask(Query{"COPY t TO STDOUT"});
  const BackendMessage data = CopyData{as_bytes("1\n")};
  EXPECT_EQ(
      answer({CopyResponse{.way = CopyResponse::Way::kOut, .format = 0, .column_formats = {0}},
              data, data, data}),
      "HddE");
}

TEST_F(ResultLimits, PartsOfAPortalCountTogether) {
  ask(Query{"BEGIN"});
  answer({CommandComplete{"BEGIN"}, ReadyForQuery{ReadyForQuery::State::kTransaction}});
  ask(Parse{.text = "SELECT a FROM t"});
  ask(Bind{});
  ask(Execute{"", 1});
  ask(Sync{});
  EXPECT_EQ(answer({Signal{'1'}, Signal{'2'}, row_, Signal{'s'},
                    ReadyForQuery{ReadyForQuery::State::kTransaction}}),
            "12DsZ");
  ask(Execute{"", 1});
  ask(Execute{"", 1});
  EXPECT_EQ(answer({row_, Signal{'s'}, row_}), "DsE");
  EXPECT_TRUE(engine_.finished());
}

}  // namespace
}  // namespace agentsh::sql
