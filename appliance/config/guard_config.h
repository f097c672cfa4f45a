// The standing database guard's part of the configuration. Plain values.
#pragma once

#include "base/ip.h"

#include <string>
#include <vector>

namespace agentsh::config {

struct GuardListener {
  Endpoint address;
  std::string service;    // Of the policy's db_services.
  std::string policy;     // Empty: policies.default.
  std::string cert_file;  // Empty: plain.
  std::string key_file;
};

struct GuardSection {
  std::vector<GuardListener> listeners;  // Empty: there is no standing guard.
  int threads = 0;                       // 0: one per processor.
};

}  // namespace agentsh::config
