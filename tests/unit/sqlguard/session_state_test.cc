#include "sqlguard/rules/session_state.h"

#include "sqlguard/classifier/classify.h"

#include <gtest/gtest.h>

namespace agentsh::sql {
namespace {

using Path = std::vector<std::string>;

Statement statement(std::string_view sql) {
  return classify(sql, Dialect::kPostgres).statements.at(0);
}

void run(SessionState& session, std::string_view sql) {
  session.forwarded(statement(sql));
  session.completed(statement(sql));
}

TEST(SessionState, TheSearchPathFollowsSettings) {
  SessionState session(Path{"public"});
  run(session, "set search_path = a, b");
  EXPECT_EQ(session.names().search_path, (Path{"a", "b"}));
  run(session, "select set_config('search_path', 'c, \"D\"', false)");
  EXPECT_EQ(session.names().search_path, (Path{"c", "D"}));
  run(session, "reset search_path");
  EXPECT_EQ(session.names().search_path, Path{"public"});
  run(session, "set search_path = a");
  run(session, "discard all");
  EXPECT_EQ(session.names().search_path, Path{"public"});
}

TEST(SessionState, WhatIsNotCompletedIsNotKnown) {
  SessionState session(Path{"public"});
  session.forwarded(statement("set search_path = a"));
  EXPECT_EQ(session.names().search_path, std::nullopt);
  session.failed(statement("set search_path = a"));
  EXPECT_EQ(session.names().search_path, std::nullopt);
  run(session, "set search_path = b");
  EXPECT_EQ(session.names().search_path, Path{"b"});
  run(session, "select set_config(n, v, false) from t");
  EXPECT_EQ(session.names().search_path, std::nullopt);
}

TEST(SessionState, TransactionsUndoSettings) {
  SessionState session(Path{"public"});
  run(session, "set search_path = a");
  session.transaction_ended(false);
  EXPECT_EQ(session.names().search_path, Path{"public"});
  run(session, "set search_path = a");
  session.transaction_ended(true);
  run(session, "set search_path = b");
  session.transaction_ended(false);
  EXPECT_EQ(session.names().search_path, Path{"a"});
  run(session, "set local search_path = b");
  EXPECT_EQ(session.names().search_path, Path{"b"});
  session.transaction_ended(true);
  EXPECT_EQ(session.names().search_path, std::nullopt);
}

TEST(SessionState, TemporaryNamesStayInDoubt) {
  SessionState session;
  session.forwarded(statement("create temp table t (a int)"));
  EXPECT_TRUE(session.names().temporary.contains("t"));
  run(session, "drop table t");
  EXPECT_TRUE(session.names().temporary.contains("t"));  // The DROP may be rolled back.
  run(session, "discard temp");
  EXPECT_TRUE(session.names().temporary.empty());
}

TEST(SessionState, DiscardAllForgetsPreparedStatements) {
  SessionState session;
  run(session, "prepare p as select 1");
  EXPECT_EQ(session.prepared("p").size(), 1u);
  run(session, "discard all");
  EXPECT_TRUE(session.prepared("p").empty());
  session.completed_parse("q", statement("select 1"));
  EXPECT_EQ(session.prepared("q").size(), 1u);
  run(session, "deallocate all");
  EXPECT_TRUE(session.prepared("q").empty());
}

TEST(SessionState, PreparedStatementsAreBounded) {
  SessionState session;
  for (std::size_t i = 0; i < SessionState::kMaximumPrepared + 10; ++i)
    session.completed_parse("s" + std::to_string(i), statement("select 1"));
  EXPECT_TRUE(session.prepared("s0").empty());
  EXPECT_EQ(session.prepared("s4105").size(), 1u);
}

TEST(SessionState, StringsAndEncodings) {
  SessionState session;
  EXPECT_TRUE(session.reads_text_as_parser());
  run(session, "set standard_conforming_strings = off");
  EXPECT_FALSE(session.reads_text_as_parser());
  session.reported("standard_conforming_strings", "on");
  EXPECT_TRUE(session.reads_text_as_parser());
  for (const char* name :
       {"SJIS", "big5", "GBK", "gb18030", "JOHAB", "UHC", "Shift_JIS_2004", "WIN932"}) {
    session.reported("client_encoding", name);
    EXPECT_FALSE(session.reads_text_as_parser()) << name;
  }
  for (const char* name : {"UTF8", "LATIN1", "EUC_JP", "SQL_ASCII", "WIN1252"}) {
    session.reported("client_encoding", name);
    EXPECT_TRUE(session.reads_text_as_parser()) << name;
  }
}

}  // namespace
}  // namespace agentsh::sql
