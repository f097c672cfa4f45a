// The recording of one command's output, where the policy asks for it (audit.include_stdout,
// audit.include_stderr). For that the appliance stands between the command and its client: other
// commands have their client's descriptors themselves.
//
// Files: DIRECTORY/<command id>.cast for a terminal, .stdout and .stderr for the rest
// (output_file.h).
//
// Threads: the API's loop.
#pragma once

#include "appliance/sessions/output_file.h"
#include "appliance/sessions/stream_relay.h"
#include "audit/event.h"
#include "policies/model.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace agentsh {

class CommandRecording {
 public:
  struct Plan {
    std::string directory;
    std::string command_id;
    std::string command_line;
    std::uint8_t terminal_fds = 0;  // Bit n: descriptor n is the session's terminal.
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
  };

  // Opens the files. Null when `audit` asks for none.
  static Result<std::unique_ptr<CommandRecording>> open(boost::asio::any_io_executor executor,
                                                        const policy::AuditRules& audit,
                                                        const Plan& plan);

  // Replaces the client's stdout and stderr among `fds` (those that are no terminal, in their
  // order) by pipes of ours.
  Result<> intercept(std::vector<UniqueFd>& fds);
  // Takes the command's terminal and gives what the client has instead: a socket with its bytes.
  Result<UniqueFd> intercept_terminal(UniqueFd terminal);
  // The client's window has another size.
  void resize(std::uint16_t rows, std::uint16_t columns);
  // Of a command whose output is collected anyway: null when that stream is not recorded.
  OutputFile* standard_output() { return stdout_.get(); }
  OutputFile* standard_error() { return stderr_.get(); }

  // The command is over: what it wrote is passed on and recorded.
  boost::asio::awaitable<void> finish();
  // The client is gone: nobody reads any more.
  void abandon();
  // Where the recordings are.
  void describe(audit::Event& event) const;

 private:
  CommandRecording(boost::asio::any_io_executor executor, std::uint8_t terminal_fds)
      : executor_(std::move(executor)), terminal_fds_(terminal_fds) {}

  boost::asio::any_io_executor executor_;
  const std::uint8_t terminal_fds_;
  // The relays' threads use the files, so they end first.
  std::unique_ptr<OutputFile> cast_;
  std::unique_ptr<OutputFile> stdout_;
  std::unique_ptr<OutputFile> stderr_;
  UniqueFd terminal_;
  std::vector<std::unique_ptr<StreamRelay>> outputs_;
  std::unique_ptr<StreamRelay> keystrokes_;
};

}  // namespace agentsh
