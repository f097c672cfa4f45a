// Both sides of a guarded connection send anything, in any pieces. Each piece begins with a byte
// that says whose it is and how long.
#include "policies/diagnostic.h"
#include "policies/loader.h"
#include "sqlguard/connection/guarded_connection.h"

#include <cstdlib>
#include <string>

namespace {

using namespace agentsh;

constexpr std::string_view kPolicy = R"(
version: 1
name: fuzz
db_services:
  main: {family: postgres, dialect: postgres, upstream: "db:5432", tls_mode: terminate_reissue}
database_rules:
  - {name: no-drop, operations: [DROP], decision: deny, deny_mode_in_tx: rollback_then_continue}
  - {name: no-privilege, operations: [privilege], decision: deny}
  - {name: ask, operations: [delete], decision: approve}
  - {name: rest, db_service: main, operations: ["*"], decision: allow}
)";

std::shared_ptr<const sql::DatabaseRules> rules() {
  policy::Diagnostics problems("fuzz");
  const auto policy = policy::load_policy(kPolicy, problems);
  if (!policy) std::abort();
  auto compiled = sql::DatabaseRules::compile(policy->database, policy->database.services.at(0));
  if (!compiled) std::abort();
  return std::make_shared<const sql::DatabaseRules>(std::move(*compiled));
}

// Nothing that the rules deny may be in what the server gets.
void check_forwarded(const std::string& stream) {
  Bytes rest = as_bytes(stream);
  while (true) {
    const auto frame = sql::read_frame(rest, sql::Direction::kFrontend);
    if (!frame || !*frame) return;
    const auto message = sql::parse_frontend(**frame);
    if (message && std::holds_alternative<sql::Query>(*message)) {
      const auto text = std::get<sql::Query>(*message).text;
      for (const auto& statement : sql::classify(text, sql::Dialect::kPostgres).statements) {
        for (const auto& effect : statement.effects) {
          if (effect.group == sql::Group::kSchemaDestroy ||
              effect.group == sql::Group::kPrivilege || effect.group == sql::Group::kUnknown)
            std::abort();
        }
      }
    }
    rest = rest.subspan((*frame)->size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kRules = rules();
  sql::Judge judge(kRules, sql::Dialect::kPostgres);
  auto catalog = std::make_shared<sql::CatalogAnswer>();
  catalog->session.search_path = {"public"};
  sql::GuardedConnection engine({.judge = &judge, .session = {}, .catalog = std::move(catalog)});
  engine.begin({});
  std::string from_client, from_server, forwarded;
  ByteReader reader({data, size});
  while (reader.remaining() > 0 && !engine.finished()) {
    const std::uint8_t head = reader.u8();
    const Bytes piece = reader.bytes(std::min<std::size_t>(head & 0x7f, reader.remaining()));
    if ((head & 0x80) == 0) {
      from_client += as_text(piece);
      if (engine.question() != nullptr)
        engine.answer(head % 2 == 0 ? policy::Verdict::allow("ask")
                                    : policy::Verdict::deny("ask", "no"));
      from_client.erase(0, engine.from_client(as_bytes(from_client)));
    } else {
      from_server += as_text(piece);
      sql::Outgoing out;
      const std::size_t taken = engine.from_server(as_bytes(from_server), out);
      if (taken > from_server.size()) std::abort();
      out.parts();
      from_server.erase(0, taken);
      from_client.erase(0, engine.from_client(as_bytes(from_client)));
    }
    forwarded += as_text(engine.to_server());
    engine.to_server().clear();
    engine.to_client().clear();
  }
  check_forwarded(forwarded);
  return 0;
}
