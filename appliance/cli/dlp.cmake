# `agentsh dlp ...`: scanning, redacting and restoring files and pipes, offline.
include_guard(GLOBAL)
agentsh_library(cli_dlp
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/dlp_verbs.cc ${CMAKE_CURRENT_LIST_DIR}/dlp_scan.cc
          ${CMAKE_CURRENT_LIST_DIR}/dlp_edit.cc
  PUBLIC agentsh_dlp agentsh_base)
