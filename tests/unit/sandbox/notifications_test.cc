// System calls of a real child that wait to be answered.
#include "sandbox/seccomp/notifications.h"

#include "tests/unit/sandbox/notified_child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace agentsh::sandbox {
namespace {

constexpr std::size_t kPage = 4096;

Result<Call> next(Notifications& notifications) {
  auto call = notifications.next();
  if (!call) return std::unexpected(call.error());
  if (!*call) return fail("no call");
  return std::move(**call);
}

int chmod_errno(const char* path) {
  return ::chmod(path, 0600) == 0 ? 0 : errno;
}

TEST(Notifications, ACallIsReadAndAnswered) {
  NotifiedChild child([] {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(4711);
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    return ::connect(socket, raw, sizeof address) == 0 ? 0 : errno;
  });
  Notifications notifications(child.take_listener());
  auto call = next(notifications);
  ASSERT_TRUE(call) << call.error().what;
  EXPECT_EQ(call->number(), SYS_connect);
  EXPECT_EQ(call->thread(), child.pid());
  EXPECT_EQ(call->process().value_or(0), child.pid());
  sockaddr_in address{};
  ASSERT_TRUE(call->read(call->argument(1), std::as_writable_bytes(std::span(&address, 1))));
  EXPECT_EQ(ntohs(address.sin_port), 4711);
  std::array<std::byte, 8> nothing;
  EXPECT_FALSE(call->read(8, nothing));
  auto socket = call->descriptor(static_cast<int>(call->argument(0)));
  ASSERT_TRUE(socket) << socket.error().what;
  int domain = 0;
  socklen_t size = sizeof domain;
  EXPECT_EQ(::getsockopt(socket->get(), SOL_SOCKET, SO_DOMAIN, &domain, &size), 0);
  EXPECT_EQ(domain, AF_INET);
  EXPECT_FALSE(call->descriptor(999));
  EXPECT_TRUE(call->is_waiting());
  call->answer(ENETDOWN);
  EXPECT_EQ(child.wait(), ENETDOWN);
}

TEST(Notifications, WhatIsNotAnsweredIsRefused) {
  NotifiedChild child([] { return chmod_errno("/nothing"); });
  Notifications notifications(child.take_listener());
  {
    auto call = next(notifications);
  }
  EXPECT_EQ(child.wait(), EPERM);
}

TEST(Notifications, ADeadCallerIsNoticed) {
  NotifiedChild child([] { return chmod_errno("/nothing"); });
  Notifications notifications(child.take_listener());
  auto call = next(notifications);
  ASSERT_TRUE(call) << call.error().what;
  EXPECT_TRUE(call->is_waiting());
  child.kill();
  EXPECT_EQ(child.wait(), -1);
  EXPECT_FALSE(call->is_waiting());
}

// Texts that end at the end of the memory, do not end, or are too long.
TEST(Notifications, TextsAreReadAsFarAsTheyGo) {
  NotifiedChild child([] {
    void* memory =
        ::mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char* text = static_cast<char*>(memory);
    ::munmap(text + 2 * kPage, kPage);
    std::memset(text, 'a', 2 * kPage);
    chmod_errno(text);                  // Longer than a path may be.
    chmod_errno(text + 2 * kPage - 5);  // Runs off the memory.
    text[2 * kPage - 1] = '\0';
    chmod_errno(text + 2 * kPage - 5);      // "aaaa".
    return chmod_errno(text + kPage - 10);  // Over a border of pages.
  });
  Notifications notifications(child.take_listener());
  const auto read = [&](std::size_t limit) -> Result<std::string> {
    auto call = next(notifications);
    if (!call) return std::unexpected(call.error());
    auto text = call->read_text(call->argument(0), limit);
    call->answer(0);
    return text;
  };
  auto too_long = read(kPage);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, std::errc::filename_too_long);
  EXPECT_FALSE(read(kPage));
  EXPECT_EQ(read(kPage).value_or(""), "aaaa");
  EXPECT_EQ(read(2 * kPage).value_or("").size(), kPage + 9);
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace agentsh::sandbox
