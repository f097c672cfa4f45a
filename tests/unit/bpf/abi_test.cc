// The layouts that the kernel object was compiled with, from its own type information, are those of
// this compiler.
#include "proxy/bpf/flow_abi.h"

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace agentsh::bpf {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

class Abi : public ::testing::Test {
 protected:
  void SetUp() override {
    types_.reset(btf__parse_elf(AGENTSH_REDIRECT_OBJECT, nullptr));
    ASSERT_TRUE(types_) << AGENTSH_REDIRECT_OBJECT;
  }

  const btf_type* find(const char* name) {
    const int id = btf__find_by_name_kind(types_.get(), name, BTF_KIND_STRUCT);
    return id > 0 ? btf__type_by_id(types_.get(), static_cast<unsigned>(id)) : nullptr;
  }
  // Offset in bytes; -1 when there is no such member.
  int offset_of(const btf_type* type, const std::string& member) {
    const btf_member* members = btf_members(type);
    for (unsigned i = 0; i < btf_vlen(type); ++i) {
      const char* name = btf__name_by_offset(types_.get(), members[i].name_off);
      if (member == name) return static_cast<int>(btf_member_bit_offset(type, i) / 8);
    }
    return -1;
  }

  std::unique_ptr<btf, FreeBtf> types_;
};

#define EXPECT_MEMBER(type, member)                                                         \
  EXPECT_EQ(offset_of(find(#type), #member), static_cast<int>(offsetof(abi::type, member))) \
      << #type "." #member
#define EXPECT_STRUCT(type, member_count)                       \
  do {                                                          \
    ASSERT_NE(find(#type), nullptr) << #type;                   \
    EXPECT_EQ(find(#type)->size, sizeof(abi::type)) << #type;   \
    EXPECT_EQ(btf_vlen(find(#type)), member_count##u) << #type; \
  } while (false)

TEST_F(Abi, SessionConfigAgrees) {
  EXPECT_STRUCT(SessionConfig, 10);
  EXPECT_MEMBER(SessionConfig, netns_cookie);
  EXPECT_MEMBER(SessionConfig, denial_table);
  EXPECT_MEMBER(SessionConfig, listener_count4);
  EXPECT_MEMBER(SessionConfig, listener_count6);
  EXPECT_MEMBER(SessionConfig, host_port_count);
  EXPECT_MEMBER(SessionConfig, host_ports);
  EXPECT_MEMBER(SessionConfig, listeners4);
  EXPECT_MEMBER(SessionConfig, own4);
  EXPECT_MEMBER(SessionConfig, listeners6);
  EXPECT_MEMBER(SessionConfig, own6);
  EXPECT_STRUCT(Listener4, 5);
  EXPECT_MEMBER(Listener4, tcp_port);
  EXPECT_MEMBER(Listener4, dns_tcp_port);
  EXPECT_MEMBER(Listener4, dns_udp_port);
  EXPECT_STRUCT(Listener6, 5);
  EXPECT_MEMBER(Listener6, tcp_port);
  EXPECT_MEMBER(Listener6, dns_tcp_port);
  EXPECT_MEMBER(Listener6, dns_udp_port);
}

TEST_F(Abi, FlowsAgree) {
  EXPECT_STRUCT(FlowKey, 6);
  EXPECT_MEMBER(FlowKey, netns_cookie);
  EXPECT_MEMBER(FlowKey, source);
  EXPECT_MEMBER(FlowKey, listener);
  EXPECT_MEMBER(FlowKey, source_port);
  EXPECT_MEMBER(FlowKey, listener_port);
  EXPECT_STRUCT(FlowValue, 11);
  EXPECT_MEMBER(FlowValue, original);
  EXPECT_MEMBER(FlowValue, original_port);
  EXPECT_MEMBER(FlowValue, process_id);
  EXPECT_MEMBER(FlowValue, thread_id);
  EXPECT_MEMBER(FlowValue, user_id);
  EXPECT_MEMBER(FlowValue, cgroup_id);
  EXPECT_MEMBER(FlowValue, socket_cookie);
  EXPECT_MEMBER(FlowValue, connected_at);
  EXPECT_MEMBER(FlowValue, closed_at);
  EXPECT_MEMBER(FlowValue, comm);
}

TEST_F(Abi, DenialsAgree) {
  EXPECT_STRUCT(DenialKey, 2);
  EXPECT_MEMBER(DenialKey, prefix_length);
  EXPECT_MEMBER(DenialKey, address);
  EXPECT_STRUCT(DenialValue, 3);
  EXPECT_MEMBER(DenialValue, count);
  EXPECT_MEMBER(DenialValue, ranges);
  EXPECT_STRUCT(PortRange, 4);
  EXPECT_MEMBER(PortRange, first);
  EXPECT_MEMBER(PortRange, last);
  EXPECT_MEMBER(PortRange, answer);
  EXPECT_MEMBER(PortRange, tag);
}

TEST_F(Abi, RefusalsAgree) {
  EXPECT_STRUCT(RefusalKey, 10);
  EXPECT_MEMBER(RefusalKey, netns_cookie);
  EXPECT_MEMBER(RefusalKey, tag);
  EXPECT_MEMBER(RefusalKey, destination);
  EXPECT_MEMBER(RefusalKey, process_id);
  EXPECT_MEMBER(RefusalKey, port);
  EXPECT_MEMBER(RefusalKey, protocol);
  EXPECT_MEMBER(RefusalKey, reason);
  EXPECT_MEMBER(RefusalKey, socket_type);
  EXPECT_MEMBER(RefusalKey, error);
  EXPECT_STRUCT(RefusalCount, 7);
  EXPECT_MEMBER(RefusalCount, count);
  EXPECT_MEMBER(RefusalCount, reported);
  EXPECT_MEMBER(RefusalCount, first_at);
  EXPECT_MEMBER(RefusalCount, last_at);
  EXPECT_MEMBER(RefusalCount, thread_id);
  EXPECT_MEMBER(RefusalCount, user_id);
  EXPECT_MEMBER(RefusalCount, comm);
  EXPECT_STRUCT(RefusalRecord, 2);
  EXPECT_MEMBER(RefusalRecord, key);
  EXPECT_MEMBER(RefusalRecord, value);
}

}  // namespace
}  // namespace agentsh::bpf
