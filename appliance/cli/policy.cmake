# `agentsh policy ...`: verbs that work on policy files, offline.
include_guard(GLOBAL)
agentsh_library(cli_policy
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/policy_verbs.cc
  PUBLIC agentsh_policies agentsh_base
  PRIVATE agentsh_cli_db)
