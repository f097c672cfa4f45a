# `agentsh db ...` and `agentsh policy db ...`: SQL text against the classifier and the rules, offline.
include_guard(GLOBAL)
agentsh_library(cli_db
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/db_connection.cc ${CMAKE_CURRENT_LIST_DIR}/db_verbs.cc ${CMAKE_CURRENT_LIST_DIR}/db_explain.cc
  PUBLIC agentsh_base agentsh_policies agentsh_sql_login agentsh_sql_rules)
