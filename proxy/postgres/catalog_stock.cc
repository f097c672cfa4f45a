#include "proxy/postgres/catalog_stock.h"

#include <utility>

namespace agentsh::pg {

CatalogStock& CatalogStock::of_process() {
  static CatalogStock stock;
  return stock;
}

std::shared_ptr<const sql::CatalogAnswer> CatalogStock::find(const std::string& kind) {
  auto kept = kept_.lock();
  const auto found = kept->find(kind);
  if (found == kept->end() || found->second.until < std::chrono::steady_clock::now())
    return nullptr;
  return found->second.answer;
}

void CatalogStock::keep(const std::string& kind, std::shared_ptr<const sql::CatalogAnswer> answer) {
  if (kind.empty()) return;
  auto kept = kept_.lock();
  if (kept->size() >= kMaximum) kept->clear();
  (*kept)[kind] = {std::move(answer), std::chrono::steady_clock::now() + kLife};
}

void CatalogStock::forget(const std::string& kind) {
  kept_.lock()->erase(kind);
}

}  // namespace agentsh::pg
