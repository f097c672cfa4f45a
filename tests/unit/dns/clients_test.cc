// Real resolvers and programs, in a namespace like a session's, served from outside it.
#include "base/file_io.h"
#include "tests/unit/dns/client_namespace.h"
#include "tests/unit/dns/served_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>

namespace agentsh::dns {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<Record> sample_records() {
  std::vector<Record> records = {address_record("www.example.com", "93.184.216.34"),
                                 address_record("www.example.com", "2001:470::34"),
                                 alias_record("alias.example.com", "www.example.com"),
                                 address_record("v4only.example.com", "93.184.216.35"),
                                 address_record("inner.example.com", "10.0.0.1"),
                                 text_record("txt.example.com", "hello")};
  for (int i = 0; i < 100; ++i) {
    records.push_back(address_record("many.example.com", "93.184.217." + std::to_string(i)));
  }
  return records;
}

class DnsClients : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root for namespaces";
    auto made = ClientNamespace::create("search corp.internal\noptions ndots:2 timeout:2 edns0\n");
    ASSERT_TRUE(made) << made.error().what;
    inside_.emplace(std::move(*made));
    upstream_ = std::make_unique<ScriptedUpstream>(table_script(sample_records()));
    auto options = upstream_options({upstream_->endpoint()});
    options.session.search_suffixes = {"corp.internal"};
    served_ = std::make_unique<ServedSession>(std::move(options));
    served_->policy().denied = {"ads.example.com"};
    served_->policy().redirects["api.example.com"] = {"to-local", ip("198.18.7.7")};
    served_->start(inside_->take_sockets());
  }

  std::string run(const std::string& command) { return inside_->run(command).text; }

  std::optional<ClientNamespace> inside_;
  std::unique_ptr<ScriptedUpstream> upstream_;
  std::unique_ptr<ServedSession> served_;
};

TEST_F(DnsClients, Dig) {
  EXPECT_EQ(run("dig +short www.example.com"), "93.184.216.34\n");
  EXPECT_EQ(run("dig +short AAAA alias.example.com"), "www.example.com.\n2001:470::34\n");
  EXPECT_EQ(run("dig +short +tcp www.example.com"), "93.184.216.34\n");
  EXPECT_EQ(run("dig +short @fd83:71::1 www.example.com"), "93.184.216.34\n");
  EXPECT_EQ(run("dig +short @fd83:71::1 +tcp www.example.com"), "93.184.216.34\n");
  EXPECT_EQ(run("dig +short TXT txt.example.com"), "\"hello\"\n");
  EXPECT_EQ(run("dig +short many.example.com | wc -l"), "100\n")
      << "by TCP after a truncated reply";
  EXPECT_THAT(run("dig +ignore many.example.com"), HasSubstr("flags: qr tc rd ra"));
  EXPECT_THAT(run("dig x.ads.example.com"),
              AllOf(HasSubstr("status: REFUSED"), HasSubstr("EDE: 15 (Blocked)"),
                    HasSubstr("not for agents")));
  EXPECT_THAT(run("dig exfil.evil.example"),
              AllOf(HasSubstr("status: REFUSED"), HasSubstr("EDE: 18 (Prohibited)")));
  EXPECT_THAT(run("dig inner.example.com"), AllOf(HasSubstr("REFUSED"), HasSubstr("10.0.0.1")));
  EXPECT_THAT(run("dig ANY www.example.com"), HasSubstr("RFC8482"));
  EXPECT_THAT(run("dig AXFR example.com"), HasSubstr("Transfer failed"));
  EXPECT_THAT(run("dig CH TXT version.bind"), HasSubstr("status: REFUSED"));
  EXPECT_THAT(run("dig +edns=1 +noednsneg www.example.com"), HasSubstr("status: BADVERS"));
  EXPECT_EQ(run("dig +short +noedns www.example.com"), "93.184.216.34\n");
  EXPECT_EQ(run("dig +short -x 93.184.216.35; dig +short v4only.example.com; "
                "dig +short -x 93.184.216.35"),
            "93.184.216.35\nv4only.example.com.\n");
}

TEST_F(DnsClients, Glibc) {
  EXPECT_THAT(run("getent ahosts www.example.com"),
              AllOf(HasSubstr("93.184.216.34"), HasSubstr("2001:470::34")));
  EXPECT_THAT(run("getent ahostsv4 alias.example.com"), HasSubstr("93.184.216.34"));
  EXPECT_THAT(run("getent ahostsv4 many.example.com | wc -l"), HasSubstr("300"));
  EXPECT_THAT(run("getent ahosts api.example.com"), HasSubstr("198.18.7.7"));
  EXPECT_EQ(run("getent ahosts exfil.evil.example; echo $?"), "2\n");
  EXPECT_THAT(run("getent ahosts hosts.example.com"), HasSubstr("10.20.30.40"));
}

// With ndots:2, glibc tries www.example.com.corp.internal first for names with one dot, and goes on
// only when that does not exist.
TEST_F(DnsClients, SearchListsDoNotGetInTheWay) {
  EXPECT_THAT(run("getent ahosts v4only.example.com"), HasSubstr("93.184.216.35"));
  run("getent ahosts example.com");
  EXPECT_THAT(served_->observer().lines(), Contains("A example.com.corp.internal NXDOMAIN policy"));
  EXPECT_THAT(served_->observer().lines(), Contains(HasSubstr("A example.com ")));
}

TEST_F(DnsClients, Python) {
  EXPECT_THAT(run("python3 -c \"import socket; print(sorted({a[4][0] for a in "
                  "socket.getaddrinfo(\\\"www.example.com\\\", 443)}))\""),
              HasSubstr("['2001:470::34', '93.184.216.34']"));
  EXPECT_THAT(run("python3 -c \"import socket; socket.getaddrinfo(\\\"evil.example\\\", 443)\""),
              HasSubstr("gaierror"));
}

TEST_F(DnsClients, Node) {
  // Both ways that node has: getaddrinfo(3) and c-ares.
  EXPECT_THAT(run("node -e \"require(\\\"dns\\\").lookup(\\\"v4only.example.com\\\", (e, a) => "
                  "console.log(e, a))\""),
              HasSubstr("null 93.184.216.35"));
  EXPECT_THAT(run("node -e \"require(\\\"dns\\\").resolve4(\\\"www.example.com\\\", (e, a) => "
                  "console.log(e, a))\""),
              HasSubstr("null [ '93.184.216.34' ]"));
  EXPECT_THAT(run("node -e \"require(\\\"dns\\\").resolve4(\\\"many.example.com\\\", (e, a) => "
                  "console.log(e, a.length))\""),
              HasSubstr("null 100"));
  EXPECT_THAT(run("node -e \"require(\\\"dns\\\").resolve4(\\\"evil.example\\\", (e, a) => "
                  "console.log(e.code))\""),
              HasSubstr("EREFUSED"));
}

TEST_F(DnsClients, EveryQuestionMakesOneEvent) {
  run("dig +short +tries=1 www.example.com; dig +short +tries=1 exfil.evil.example");
  const auto events = served_->observer().events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].type, "dns_query");
  EXPECT_EQ(events[0].domain, "www.example.com");
  EXPECT_EQ(events[1].domain, "exfil.evil.example");
  EXPECT_EQ(upstream_->queries(), 1);
}

// The host's resolv.conf names servers by address alone, so this one has to have port 53.
TEST_F(DnsClients, TheHostsResolverIsFollowed) {
  const std::string path = ::testing::TempDir() + "followed-resolv." + std::to_string(::getpid());
  ScriptedUpstream first(table_script({address_record("www.example.com", "93.184.216.1")}),
                         {ip("127.83.72.1"), 53});
  ScriptedUpstream second(table_script({address_record("new.example.com", "93.184.216.2")}),
                          {ip("127.83.72.2"), 53});
  ASSERT_TRUE(write_file_atomic(path, "nameserver 127.83.72.1\n"));
  auto options = upstream_options({});
  options.upstream.resolv_conf = path;
  ServedSession served(std::move(options));
  served.start();
  EXPECT_EQ(addresses_in(served.ask(question("www.example.com"))).size(), 1u);
  ASSERT_TRUE(write_file_atomic(path, "nameserver 127.83.72.2\n"));
  // The file is looked at once a second at most; the question is asked until then.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::vector<std::string> found;
  while (found.empty() && std::chrono::steady_clock::now() < deadline) {
    served.engine().cache().clear();
    found = addresses_in(served.ask(question("new.example.com")));
  }
  EXPECT_EQ(found, (std::vector<std::string>{"93.184.216.2"}));
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace agentsh::dns
