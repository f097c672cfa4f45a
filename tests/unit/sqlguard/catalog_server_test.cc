// The catalogue query and masks over real results of a PostgreSQL server, in text and binary.
#include "sqlguard/catalog/catalog_query.h"
#include "sqlguard/catalog/resolution.h"
#include "sqlguard/classifier/classify.h"
#include "sqlguard/results/masks.h"
#include "tests/unit/sqlguard/local_server.h"
#include "tests/unit/sqlguard/result_stream.h"

#include <gmock/gmock.h>

#include <memory>

namespace agentsh::sql {
namespace {

constexpr std::string_view kDatabase = R"(
create schema app; create schema hidden;
create table app.users (id int primary key, gone text, name text, ssn text not null,
                        mail varchar(50), card bigint, doc jsonb, tags text[], raw bytea,
                        upper_name text generated always as (upper(name)) stored);
alter table app.users drop column gone;
insert into app.users values
  (1, 'Ann', '123-45-6789', 'ann@example.org', 4111111111111111, '{"mail": "ann@example.org", "n": 1}',
   '{x,ann@example.org}', 'ann@example.org'),
  (2, 'Bob', '987-65-4321', null, 7, '{}', '{}', '\x00ff');
create view app.people as select name, ssn as number, ssn || '' as computed, id from app.users;
create view app.numbers as select number as n from app.people;
create view app.whole as select row_to_json(u) as j, 1 as one from app.users u;
create materialized view app.stored as select ssn as s, name from app.users;
create view hidden.union_of as select ssn as s from app.users union all select name from app.users;
create view app.odd as select '({weird \} text' as "a (b) {c}", ssn as "}" from app.users;
create table app.parted (id int, ssn text) partition by range (id);
create table app.parted_1 partition of app.parted for values from (0) to (10);
create function app.stable_one() returns int language plpgsql stable as 'begin return 1; end';
create function app.writes() returns int language sql as 'select 1';
create function app.definer() returns int language sql stable security definer as 'select 1';
)";

dlp::Detector email() {
  return {.id = "email", .title = "e-mail", .patterns = {R"([a-z]+@[a-z]+\.[a-z]{2,4})"}};
}
dlp::Detector card() {
  return {.id = "card", .title = "card", .patterns = {R"(\b4[0-9]{15}\b)"}};
}

class CatalogServer : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<LocalServer>(std::string(kDatabase)); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (server_->directory().starts_with("skipped")) GTEST_SKIP() << server_->directory();
    ASSERT_THAT(server_->directory(), testing::StartsWith("/"));
    connection_ = std::make_unique<ServerConnection>(*server_);
  }

  CatalogAnswer ask() {
    const auto bytes = connection_->query(catalog_query());
    CatalogReader reader;
    for (std::size_t at = 0; at < bytes.size();) {
      const auto frame = read_frame(Bytes(bytes).subspan(at), Direction::kBackend);
      EXPECT_TRUE(frame && *frame);
      if (!frame || !*frame) break;
      at += (*frame)->size;
      if ((*frame)->type == 'Z') break;
      const auto taken = reader.take(**frame);
      EXPECT_TRUE(taken) << taken.error().what;
    }
    auto answer = reader.finish();
    EXPECT_TRUE(answer);
    return answer ? std::move(*answer) : CatalogAnswer{};
  }

  // The rows of a query as the client gets them, masked.
  std::string shown(const std::string& sql, std::vector<std::string> columns, bool binary = false,
                    bool detect = false) {
    const CatalogAnswer answer = ask();
    policy::DatabaseMask mask{.name = "pii"};
    for (std::string& column : columns) mask.columns.push_back({std::move(column), {}});
    const policy::DatabaseMask masks[] = {mask};
    const auto masked = std::make_shared<const MaskedColumns>(masks, answer.catalog);
    const NameContext names{.search_path = answer.session.search_path};
    const Analysis analysis = classify(sql, Dialect::kPostgres);
    const Statement statement = resolve(analysis.statements[0], names, answer.catalog.get());
    auto plan = std::make_shared<MaskPlan>(plan_masks(sql, statement, names, masked, {}));
    if (plan->refusal) return "refused: " + *plan->refusal;
    ResultSettings settings{.masks = plan};
    if (detect) {
      const auto scanner = *dlp::Scanner::build({email(), card()});
      settings.detectors = *dlp::Profile::make(scanner, {});
    }
    const auto bytes = binary ? connection_->ask({Parse{.text = sql}, Bind{.result_formats = {1}},
                                                  Describe{'P', ""}, Execute{"", 0}, Sync{}})
                              : connection_->query(sql);
    std::string first;
    for (const std::size_t piece : {bytes.size(), std::size_t{1}, std::size_t{7}}) {
      ResultFilter filter;
      filter.begin(settings);
      const std::string text = text_of(run_results(filter, bytes, piece).out);
      if (first.empty()) first = text;
      EXPECT_EQ(text, first) << "pieces of " << piece;
    }
    return first;
  }

  static std::string text_of(Bytes stream) {
    std::string text;
    for (std::size_t at = 0; at < stream.size();) {
      const auto frame = read_frame(stream.subspan(at), Direction::kBackend);
      if (!frame || !*frame) return text + "malformed";
      at += (*frame)->size;
      const auto message = parse_backend(**frame);
      if (!message) return text + "malformed";
      if (const auto* report = std::get_if<Report>(&*message)) text += report->field('M');
      if ((*frame)->type == 'd') text += as_text((*frame)->body);
      const auto* row = std::get_if<DataRow>(&*message);
      if (row == nullptr) continue;
      for (const WireValue& value : row->columns)
        text += (value ? std::string(as_text(*value)) : "~") + "|";
      text += '\n';
    }
    return text;
  }

  static std::unique_ptr<LocalServer> server_;
  std::unique_ptr<ServerConnection> connection_;
};

std::unique_ptr<LocalServer> CatalogServer::server_;

TEST_F(CatalogServer, Relations) {
  const CatalogAnswer answer = ask();
  EXPECT_EQ(answer.session.user, "postgres");
  EXPECT_THAT(answer.session.search_path, testing::ElementsAre("public"));
  const CatalogRelation* users = answer.catalog->relation("app", "users");
  ASSERT_NE(users, nullptr);
  EXPECT_EQ(users->kind, 'r');
  EXPECT_EQ(answer.catalog->relation(users->oid), users);
  ASSERT_EQ(users->columns.size(), 9u) << "one was dropped";
  EXPECT_EQ(users->columns[1].name, "name");
  EXPECT_EQ(users->columns[1].number, 3);
  EXPECT_EQ(users->columns[1].type, 25u);
  EXPECT_TRUE(users->column("upper_name")->generated);
  EXPECT_FALSE(users->column("name")->generated);
  EXPECT_NE(answer.catalog->relation("pg_catalog", "pg_class"), nullptr);
  EXPECT_EQ(answer.catalog->relation("app", "absent"), nullptr);
  const CatalogRelation* part = answer.catalog->relation("app", "parted_1");
  ASSERT_NE(part, nullptr);
  EXPECT_THAT(part->parents, testing::ElementsAre(answer.catalog->relation("app", "parted")->oid));
}

TEST_F(CatalogServer, OriginsOfViews) {
  const CatalogAnswer answer = ask();
  const Catalog& catalog = *answer.catalog;
  const std::uint32_t users = catalog.relation("app", "users")->oid;
  using Source = CatalogRelation::Source;
  EXPECT_THAT(
      catalog.relation("app", "people")->origins,
      testing::ElementsAre(Source{users, 3}, Source{users, 4}, Source{0, 0}, Source{users, 1}));
  EXPECT_THAT(catalog.relation("app", "numbers")->origins,
              testing::ElementsAre(Source{catalog.relation("app", "people")->oid, 2}));
  EXPECT_THAT(catalog.relation("app", "whole")->origins, testing::ElementsAre(Source{}, Source{}));
  EXPECT_THAT(catalog.relation("app", "stored")->origins,
              testing::ElementsAre(Source{users, 4}, Source{users, 3}));
  EXPECT_THAT(catalog.relation("hidden", "union_of")->origins, testing::ElementsAre(Source{}));
  EXPECT_THAT(catalog.relation("app", "odd")->origins,
              testing::ElementsAre(Source{}, Source{users, 4}));
  const auto behind = catalog.behind(*catalog.relation("app", "numbers"));
  ASSERT_EQ(behind.size(), 2u);
}

TEST_F(CatalogServer, Functions) {
  const CatalogAnswer answer = ask();
  ASSERT_EQ(answer.catalog->functions("app", "stable_one").size(), 1u);
  EXPECT_EQ(answer.catalog->functions("app", "stable_one")[0]->volatility, 's');
  EXPECT_EQ(answer.catalog->functions("app", "stable_one")[0]->language, "plpgsql");
  EXPECT_TRUE(answer.catalog->functions("app", "definer")[0]->security_definer);
  const auto marked = [&](const std::string& sql, NameContext names) {
    const Analysis analysis = classify(sql, Dialect::kPostgres);
    const Statement statement = resolve(analysis.statements[0], names, answer.catalog.get());
    return !statement.functions.empty() && statement.functions[0].may_do_anything;
  };
  const NameContext app{.search_path = std::vector<std::string>{"app"}};
  EXPECT_FALSE(marked("select stable_one()", app));
  EXPECT_TRUE(marked("select writes()", app));
  EXPECT_TRUE(marked("select app.definer()", {}));
  EXPECT_TRUE(marked("select nowhere()", app));
  EXPECT_TRUE(marked("select stable_one()", {})) << "the path is not known";
}

TEST_F(CatalogServer, NamesAreResolved) {
  const CatalogAnswer answer = ask();
  const auto reads = [&](const std::string& sql, const NameContext& names) {
    const Analysis analysis = classify(sql, Dialect::kPostgres);
    std::string text;
    for (const Effect& effect :
         resolve(analysis.statements[0], names, answer.catalog.get()).effects) {
      for (const Object& object : effect.objects)
        text += object.schema + "." + object.name + (object.implied ? "+" : "") +
                (object.lookup == Lookup::kResolved ? " " : "? ");
    }
    return text;
  };
  const NameContext path{.search_path = std::vector<std::string>{"public", "app"}};
  EXPECT_EQ(reads("select * from users", path), "app.users ");
  EXPECT_EQ(reads("select * from numbers", path), "app.numbers app.people+ app.users+ ");
  EXPECT_EQ(reads("select * from absent", path), ".absent? ");
  EXPECT_EQ(reads("select * from users", {}), ".users? ");
  EXPECT_EQ(reads("select * from pg_class", path), "pg_catalog.pg_class ");
  NameContext shadowed = path;
  shadowed.temporary.insert("users");
  EXPECT_EQ(reads("select * from users", shadowed), ".users? ");
}

TEST_F(CatalogServer, TheSearchPathCannotChangeTheAnswer) {
  connection_->query(
      "create schema evil; create function evil.eq(oid, oid) returns bool language sql as 'select "
      "false'; "
      "create operator evil.= (leftarg = oid, rightarg = oid, procedure = evil.eq); "
      "create function evil.unnest(name[]) returns setof text language sql as $$select 'x'$$; "
      "create type evil.text as (a int); set search_path = evil, pg_catalog");
  const CatalogAnswer answer = ask();
  EXPECT_NE(answer.catalog->relation("app", "users"), nullptr);
  EXPECT_THAT(answer.session.search_path, testing::ElementsAre("evil", "pg_catalog"));
  connection_->query("reset search_path; drop schema evil cascade");
}

TEST_F(CatalogServer, MaskedResults) {
  const std::vector<std::string> ssn = {"app.users.ssn"};
  const std::string x = "[REDACTED:pii]|\n";
  for (const bool binary : {false, true}) {
    EXPECT_EQ(shown("select name, ssn as a from app.users order by id", ssn, binary),
              "Ann|" + x + "Bob|" + x);
    EXPECT_EQ(shown("select q.z from (select ssn as z from app.users) q", ssn, binary), x + x);
    EXPECT_EQ(shown("with q as (select ssn as z from app.users) select z from q", ssn, binary),
              x + x);
    EXPECT_EQ(shown("select number from app.people", ssn, binary), x + x);
    EXPECT_EQ(shown("select n from app.numbers", ssn, binary), x + x);
    EXPECT_EQ(shown("select s from app.stored", ssn, binary), x + x);
    EXPECT_EQ(shown("select computed from app.people", ssn, binary), x + x);
    EXPECT_EQ(shown("select s from hidden.union_of limit 1", ssn, binary), x);
    EXPECT_EQ(shown("select j from app.whole limit 1", ssn, binary), "\"[REDACTED:pii]\"|\n");
    EXPECT_EQ(shown("select l.s from app.users u, lateral (select u.ssn as s) l", ssn, binary),
              x + x);
    EXPECT_EQ(
        shown("select u.ssn from app.users u left join app.parted p on p.id = u.id", ssn, binary),
        x + x);
    EXPECT_EQ(shown("insert into app.parted values (1, 'x') returning ssn as a", {"ssn"}, binary),
              x);
    EXPECT_EQ(shown("select ssn || '' from app.users", ssn, binary).substr(0, 7), "refused");
  }
}

TEST_F(CatalogServer, MaskedCopy) {
  EXPECT_EQ(shown("copy app.users (id, ssn, name) to stdout", {"ssn"}),
            "1\t[REDACTED:pii]\tAnn\n2\t[REDACTED:pii]\tBob\n");
  EXPECT_EQ(
      shown("copy (select id, ssn as x from app.users) to stdout (format csv, header)", {"ssn"}),
      "id,x\n1,\"[REDACTED:pii]\"\n2,\"[REDACTED:pii]\"\n");
  EXPECT_THAT(shown("copy app.users to stdout", {"users.*"}),
              testing::StartsWith("\\N\t[REDACTED:pii]\t"));
  EXPECT_THAT(shown("copy app.users (ssn, id) to stdout (format binary)", {"ssn"}),
              testing::HasSubstr("[REDACTED:pii]"));
}

TEST_F(CatalogServer, DetectedInEveryType) {
  for (const bool binary : {false, true}) {
    const std::string text =
        shown("select mail, card, doc, tags, raw, name from app.users order by id limit 1", {},
              binary, true);
    EXPECT_THAT(text, testing::HasSubstr("Ann|"));
    EXPECT_THAT(text, testing::HasSubstr("[REDACTED:email]|~|")) << "the card number";
    EXPECT_THAT(text, testing::HasSubstr("{\"n\": 1, \"mail\": \"[REDACTED:email]\"}"));
    EXPECT_THAT(text, testing::HasSubstr("|~|Ann|")) << "bytea";
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("ann@")));
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("4111")));
  }
  for (const char* format : {"text", "csv", "binary"}) {
    const std::string text =
        shown("copy app.users (mail, doc, tags) to stdout (format " + std::string(format) + ")", {},
              false, true);
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("ann@"))) << format;
  }
}

TEST_F(CatalogServer, UnmaskedResultsPassByteForByte) {
  for (const char* sql :
       {"select * from app.users", "select 1, null, 'x'", "copy app.users to stdout",
        "copy app.users to stdout (format binary)", "select * from app.people",
        "table pg_catalog.pg_type", "explain select 1"}) {
    const auto bytes = connection_->query(sql);
    ResultFilter filter;
    filter.begin({.limits = {.max_rows = 10'000}});
    EXPECT_EQ(run_results(filter, bytes, 1000).out, bytes) << sql;
    const policy::DatabaseMask masks[] = {{.name = "m", .columns = {{"nothing.at_all", {}}}}};
    filter.begin({.masks = std::make_shared<MaskPlan>(MaskPlan{
                      .masked = std::make_shared<const MaskedColumns>(masks, ask().catalog)})});
    EXPECT_EQ(run_results(filter, bytes, 1000).out, bytes) << sql;
  }
}

}  // namespace
}  // namespace agentsh::sql
