// The shipped policies: each loads, has nothing for lint to complain of, and decides what its
// comment promises.
#include "policies/compiled_policy.h"
#include "policies/lint.h"
#include "policies/loader.h"
#include "policies/mount_plan.h"
#include "policies/policy_test.h"
#include "tests/unit/policies/case_file.h"

#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

Policy load_shipped(const std::string& path) {
  auto text = read_file(std::string(AGENTSH_SOURCE_DIR) + "/policies/" + path);
  EXPECT_TRUE(text) << path;
  Diagnostics problems(path);
  auto policy = load_policy(*text, problems);
  EXPECT_TRUE(policy) << (problems.ok() ? "" : problems.to_error().what);
  return policy ? *policy : Policy{};
}

std::shared_ptr<const CompiledPolicy> compile_pack(const std::string& name) {
  auto compiled = CompiledPolicy::compile(load_shipped("packs/" + name + ".yaml"),
                                          Variables({{"PROJECT_ROOT", "/home/u/project"},
                                                     {"GIT_ROOT", "/home/u/project"},
                                                     {"HOME", "/home/u"}}));
  EXPECT_TRUE(compiled) << compiled.error().what;
  return *compiled;
}

class Pack : public ::testing::TestWithParam<std::string> {};

TEST_P(Pack, LoadsAndHasNothingToComplainOf) {
  const Policy policy = load_shipped(GetParam());
  EXPECT_FALSE(policy.description.empty());
  for (const Diagnostic& finding : lint(policy)) {
    EXPECT_EQ(finding.severity, Severity::kNote) << to_text(finding);
  }
}

INSTANTIATE_TEST_SUITE_P(Shipped, Pack,
                         ::testing::Values("packs/default.yaml", "packs/agent-default.yaml",
                                           "packs/dev-safe.yaml", "packs/ci-strict.yaml",
                                           "packs/agent-sandbox.yaml", "packs/observe.yaml",
                                           "examples/annotated.yaml", "examples/database.yaml"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '/' || c == '-' || c == '.') c = '_';
                           }
                           return name;
                         });

struct Promise {
  const char* pack;
  const char* operation;
  const char* target;
  const char* decision;
};

constexpr Promise kPromises[] = {
    {"default", "exec", "uname -a", "allow"},
    {"default", "exec", "curl -s https://example.com", "allow"},
    {"default", "exec", "ls", "allow"},
    {"default", "exec", "rm -rf ./tmp", "approve"},
    {"default", "exec", "rm -fr ./tmp", "approve"},
    {"default", "exec", "rm -r -f ./tmp", "approve"},
    {"default", "exec", "rm --recursive --force ./tmp", "approve"},
    {"default", "exec", "rm -f -v --recursive x", "approve"},
    {"default", "exec", "sh -c 'rm -rf ./tmp'", "approve"},
    {"default", "exec", "env A=b rm -Rf x", "approve"},
    {"default", "exec", "rm file-rf", "allow"},
    {"default", "exec", "rm -r dir", "allow"},
    {"default", "exec", "systemctl stop x", "deny"},
    {"default", "exec", "sudo reboot", "deny"},
    {"default", "connect", "example.com:443", "allow"},
    {"default", "connect", "registry.npmjs.org:443", "allow"},
    {"default", "connect", "pypi.org:443", "allow"},
    {"default", "connect", "files.pythonhosted.org:443", "allow"},
    {"default", "connect", "index.crates.io:443", "allow"},
    {"default", "connect", "proxy.golang.org:443", "allow"},
    {"default", "connect", "deb.debian.org:80", "allow"},
    {"default", "connect", "github.com:22", "allow"},
    {"default", "connect", "codeload.github.com:443", "allow"},
    {"default", "connect", "evil.example:443", "deny"},
    {"default", "connect", "1.1.1.1:443", "deny"},
    {"default", "connect", "169.254.169.254:80", "deny"},
    {"default", "connect", "example.com:443@127.0.0.1", "deny"},
    {"default", "dns", "example.com", "allow"},
    {"default", "dns", "evil.example", "deny"},
    {"default", "write", "/home/u/project/a", "allow"},
    {"default", "write", "/etc/evil", "deny"},
    {"default", "write", "/home/u/.bashrc", "deny"},
    {"default", "read", "/home/u/.ssh/id_ed25519", "deny"},
    {"default", "rename", "/home/u/.ssh", "deny"},
    {"default", "read", "/etc/passwd", "allow"},
    {"default", "write", "/home/u/.cargo/bin/x", "deny"},
    {"agent-default", "connect", "api.anthropic.com:443", "allow"},
    {"agent-default", "connect", "api.openai.com:443", "allow"},
    {"agent-default", "exec", "git push origin main", "approve"},
    {"agent-default", "exec", "git commit -m push", "approve"},
    {"agent-default", "exec", "git status", "allow"},
    {"agent-default", "exec", "npm publish", "approve"},
    {"agent-default", "write", "/home/u/.claude/history", "allow"},
    {"dev-safe", "connect", "other.example:443", "approve"},
    {"dev-safe", "connect", "other.example:80", "deny"},
    {"dev-safe", "exec", "git reset --hard", "approve"},
    {"ci-strict", "exec", "make test", "allow"},
    {"ci-strict", "exec", "vim x", "deny"},
    {"ci-strict", "exec", "npm publish", "deny"},
    {"ci-strict", "exec", "sh -c 'vim x'", "deny"},
    {"ci-strict", "connect", "other.example:443", "deny"},
    {"ci-strict", "connect", "github.com:22", "deny"},
    {"agent-sandbox", "connect", "github.com:443", "deny"},
    {"agent-sandbox", "connect", "api.anthropic.com:443", "allow"},
    {"agent-sandbox", "exec", "ssh host", "deny"},
    {"agent-sandbox", "write", "/home/u/.cache/x", "deny"},
    {"observe", "connect", "anything.example:1234", "audit"},
    {"observe", "connect", "10.1.2.3:5432", "audit"},
    {"observe", "connect", "127.0.0.1:8080", "audit"},
    {"observe", "connect", "169.254.169.254:80", "deny"},
    {"observe", "dns", "anything.example", "audit"},
    {"observe", "exec", "rm -rf /", "audit"},
    {"observe", "read", "/home/u/.ssh/id", "deny"},
    {"observe", "write", "/home/u/x", "audit"},
};

TEST(Packs, KeepTheirPromises) {
  std::map<std::string, std::shared_ptr<const CompiledPolicy>> packs;
  for (const Promise& promise : kPromises) {
    auto& pack = packs[promise.pack];
    if (pack == nullptr) pack = compile_pack(promise.pack);
    auto answer = test_policy(*pack, {promise.operation, promise.target});
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(to_string(answer->verdict.decision()), promise.decision)
        << promise.pack << " " << promise.operation << " " << promise.target << ": "
        << to_text(*answer);
  }
}

TEST(Packs, DenialsTeach) {
  auto pack = compile_pack("default");
  auto answer = test_policy(*pack, {"exec", "rm -rf ./tmp"});
  EXPECT_NE(answer->verdict.message().find("rm -rf ./tmp deletes whole directories"),
            std::string::npos)
      << answer->verdict.message();
}

TEST(Packs, TheirTreesAreMounted) {
  const MountPlan plan = plan_mounts(*compile_pack("default"), "/home/u/project");
  EXPECT_TRUE(plan.workspace_writable);
  for (const MountPlan::RuleExtent& rule : plan.rules) {
    EXPECT_EQ(rule.extent, MountPlan::Extent::kWhole) << rule.note;
  }
  EXPECT_GT(plan.masked.size(), 10u);
}

}  // namespace
}  // namespace agentsh::policy
