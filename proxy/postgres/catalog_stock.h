// Catalogues that sessions were told at their start, for the sessions that start equal (the same
// server, database, role and settings) within a moment. What others change at the server shows when
// an entry's time is over; what a guarded session changes, at once.
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "sqlguard/catalog/catalog_query.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace agentsh::pg {

class CatalogStock {
 public:
  static constexpr std::chrono::seconds kLife{30};
  static constexpr std::size_t kMaximum = 64;

  static CatalogStock& of_process();

  std::shared_ptr<const sql::CatalogAnswer> find(const std::string& kind);
  void keep(const std::string& kind, std::shared_ptr<const sql::CatalogAnswer> answer);
  void forget(const std::string& kind);

 private:
  struct Kept {
    std::shared_ptr<const sql::CatalogAnswer> answer;
    std::chrono::steady_clock::time_point until;
  };
  LockGuarded<std::map<std::string, Kept>> kept_;
};

}  // namespace agentsh::pg
