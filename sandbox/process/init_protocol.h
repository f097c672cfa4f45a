// The messages between the daemon and a session's init: a length, a kind byte and the fields in
// wire.h's form over a stream socket (argument lists outgrow datagrams), descriptors with the first
// byte (SCM_RIGHTS).
//
//   init -> daemon   NetworkReady + the listening sockets, a socket diagnostics socket last
//   daemon -> init   Proceed (with the nftables batch where eBPF is not used)
//   init -> daemon   Ready, or SetupFailed at any point before
//   daemon -> init   Spawn + stdin, stdout, stderr
//   child -> daemon  Forked, from the command's own process before its exec: the kernel says who
//   wrote it (SCM_CREDENTIALS) init -> daemon   Spawned (+ PTY master) or SpawnFailed daemon ->
//   init   Signal init -> daemon   Exited
//
// Init ends when the socket closes, and with it everything in the session.
#pragma once

#include "base/fd_passing.h"
#include "sandbox/process/wire.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace agentsh::sandbox {

inline constexpr std::size_t kMaxPacket = 8 << 20;

// Descriptors that init is started with.
inline constexpr int kInitControlFd = 3;
inline constexpr int kInitSpecFd = 4;

enum class MessageKind : std::uint8_t {
  kNetworkReady = 1,
  kProceed,
  kReady,
  kSetupFailed,
  kSpawn,
  kForked,
  kSpawned,
  kSpawnFailed,
  kSignal,
  kExited,
  kOpenLoopback,
  kLoopback,
};

struct Proceed {
  std::string nft_batch;  // Empty: eBPF redirects.
};
template <class Archive>
void describe(Archive& archive, Proceed& message) {
  archive(message.nft_batch);
}

struct Ready {
  int landlock_abi = 0;  // 0: not enforced.
};
template <class Archive>
void describe(Archive& archive, Ready& message) {
  archive(message.landlock_abi);
}

struct SetupFailed {
  std::string what;
};
template <class Archive>
void describe(Archive& archive, SetupFailed& message) {
  archive(message.what);
}

struct Spawn {
  std::uint64_t id = 0;
  std::string
      path;  // With a slash: executed as it is. Without: searched in the PATH of `environment`.
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory;
  std::string fallback_directory;  // Where `directory` cannot be entered. Empty: then it fails.
  mode_t umask = 022;
  // Bit N set: descriptor N of the command is the slave of a new PTY, its controlling terminal. The
  // other descriptors come with the message, in order.
  std::uint8_t terminal_fds = 0;
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
};
template <class Archive>
void describe(Archive& archive, Spawn& message) {
  archive(message.id, message.path, message.argv, message.environment, message.directory,
          message.fallback_directory, message.umask, message.terminal_fds, message.rows,
          message.columns);
}

struct Forked {
  std::uint64_t id = 0;
};
template <class Archive>
void describe(Archive& archive, Forked& message) {
  archive(message.id);
}

struct Spawned {
  std::uint64_t id = 0;
};
template <class Archive>
void describe(Archive& archive, Spawned& message) {
  archive(message.id);
}

struct SpawnFailed {
  std::uint64_t id = 0;
  int error = 0;           // errno
  std::string what;        // "chdir /nowhere: No such file or directory"
  bool directory = false;  // The working directory is at fault, not the program.
};
template <class Archive>
void describe(Archive& archive, SpawnFailed& message) {
  archive(message.id, message.error, message.what, message.directory);
}

struct SignalCommand {
  std::uint64_t id = 0;
  int signal = 0;
  bool whole_group = true;  // The process group of the command, else its first process only.
};
template <class Archive>
void describe(Archive& archive, SignalCommand& message) {
  archive(message.id, message.signal, message.whole_group);
}

struct Exited {
  std::uint64_t id = 0;
  int status = 0;  // As from wait(2).
  std::int64_t user_us = 0;
  std::int64_t system_us = 0;
  std::int64_t max_rss_kb = 0;
};
template <class Archive>
void describe(Archive& archive, Exited& message) {
  archive(message.id, message.status, message.user_us, message.system_us, message.max_rss_kb);
}

// Asks for a connection to a port of the session's own 127.0.0.1 (`agentsh session publish`).
struct OpenLoopback {
  std::uint64_t id = 0;
  std::uint16_t port = 0;
};
template <class Archive>
void describe(Archive& archive, OpenLoopback& message) {
  archive(message.id, message.port);
}

struct Loopback {
  std::uint64_t id = 0;
  int error = 0;  // errno; 0: a connected socket comes along.
};
template <class Archive>
void describe(Archive& archive, Loopback& message) {
  archive(message.id, message.error);
}

struct Packet {
  MessageKind kind{};
  std::string body;
  std::vector<UniqueFd> fds;
  pid_t sender = 0;  // As ReceivedMessage::sender.

  template <class Message>
  Result<Message> as() const {
    return from_wire<Message>(body);
  }
};

// A packet as it goes over the socket, at most kMaxPacket long.
std::string packet_bytes(MessageKind kind, std::string_view body);

// Sends one packet whole; blocks. Receives one; fails with connection_reset at the end of the
// stream.
Result<> send_packet(int socket, MessageKind kind, std::string_view body, std::span<const int> fds);
Result<Packet> receive_packet(int socket);

template <class Message>
Result<> send_message(int socket, MessageKind kind, Message message,
                      std::span<const int> fds = {}) {
  return send_packet(socket, kind, to_wire(message), fds);
}

}  // namespace agentsh::sandbox
