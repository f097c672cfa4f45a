# Verbs that work on the audit log's files: `agentsh audit ...` and `agentsh events query --direct-db`.
include_guard(GLOBAL)
agentsh_library(cli_audit
  SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/audit_verbs.cc
    ${CMAKE_CURRENT_LIST_DIR}/event_query.cc
  PUBLIC agentsh_audit agentsh_base)
