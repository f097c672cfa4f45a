agentsh_library(cli_config
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/config_verbs.cc
  PUBLIC agentsh_base
  PRIVATE agentsh_config)
