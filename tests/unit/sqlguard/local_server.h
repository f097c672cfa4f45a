// A PostgreSQL server of a test's own (local_server beside this) and a plain connection to it.
#pragma once

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "sqlguard/codec/messages.h"

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class LocalServer {
 public:
  // Runs `sql` in the new server. Afterwards directory() is the socket's, or begins with "skipped".
  explicit LocalServer(const std::string& sql);
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  const std::string& directory() const { return directory_; }

 private:
  UniqueFd stop_;
  pid_t pid_ = -1;
  std::string directory_;
};

class ServerConnection {
 public:
  // As superuser, in database postgres. Waits for the first ReadyForQuery.
  explicit ServerConnection(const LocalServer& server);

  // What the server answers up to ReadyForQuery; empty when it does not within ten seconds.
  std::vector<std::uint8_t> query(std::string_view sql);
  std::vector<std::uint8_t> ask(const std::vector<FrontendMessage>& messages);

 private:
  std::vector<std::uint8_t> answer();
  bool send(Bytes bytes);

  UniqueFd socket_;
};

}  // namespace agentsh::sql
