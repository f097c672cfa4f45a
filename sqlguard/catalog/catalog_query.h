// How a Catalog is asked of a server: one SQL text for the simple protocol, and the reader of what
// comes back. Whoever owns the connection sends the text and hands the messages over:
//
//   send Query{catalog_query()}
//   CatalogReader reader;
//   for (each frame until ReadyForQuery) reader.take(frame)    // an error: no catalogue
//   reader.finish()
//
// Where: on the client's own upstream connection, after its login or a statement and before the
// ReadyForQuery that the client then gets, or on a connection of the guard's own. Any role may ask.
// Inside of a transaction that failed nothing can be asked.
#pragma once

#include "base/result.h"
#include "sqlguard/catalog/catalog.h"
#include "sqlguard/codec/frame.h"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::sql {

// Reads only; every name in it is qualified, so that the session's search path plays no part.
std::string_view catalog_query();

// What of a session the same answer tells.
struct CatalogSession {
  // Schemas that names are looked up in, in order, without pg_catalog and pg_temp.
  std::vector<std::string> search_path;
  std::string user;
};

struct CatalogAnswer {
  std::shared_ptr<const Catalog> catalog;
  CatalogSession session;
};

class CatalogReader {
 public:
  static constexpr std::size_t kMaximumRows = 4'000'000;

  // A message of the server: row descriptions, rows and their end, notices and parameter statuses.
  // Fails on an error of the server and on what is not the answer to the query.
  Result<> take(const Frame& frame);
  // After CommandComplete. Fails when the answer was not complete.
  Result<CatalogAnswer> finish();

 private:
  // A row's fields: its kind, then what the kind has.
  using Fields = std::vector<std::string_view>;

  Result<> row(const Fields& fields);
  Result<> relation_row(char kind, const Fields& fields);

  std::vector<CatalogRelation> relations_;
  std::unordered_map<std::uint32_t, std::size_t> by_oid_;
  std::vector<CatalogFunction> functions_;
  CatalogSession session_;
  std::size_t rows_ = 0;
  bool complete_ = false;
};

}  // namespace agentsh::sql
