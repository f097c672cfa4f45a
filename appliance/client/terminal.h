// The user's terminal while a command of a session runs on a terminal of its own, as with `ssh -t`:
// raw bytes both ways, window size and signals passed on, the old settings back whatever happens.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/ioctl.h>
#include <termios.h>

#include <functional>
#include <optional>

namespace agentsh::client {

// Puts a terminal into raw mode and restores it when it goes. Empty when `fd` is no terminal.
class RawTerminal {
 public:
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int fd_;
  std::optional<termios> saved_;
};

// The size of the terminal behind `fd`, or 24 x 80.
winsize terminal_size(int fd);

// Signals as a readable descriptor: those that a foreground command would get, and SIGWINCH. Blocks
// them for the process.
Result<UniqueFd> command_signals();

// Waits until `fd` is readable, or a signal arrives, whose number it returns; 0 without one.
int wait_for(int fd, int signals);

struct RelayPlan {
  int master = -1;   // The command's terminal; -1 when it has none.
  int input = -1;    // Where keystrokes come from; -1: the command reads its own stdin.
  int output = -1;   // Where the command's terminal output goes.
  int signals = -1;  // command_signals()
  int control = -1;  // The connection to the server; readable: on_control.
  std::function<bool()> on_control;     // Handles it; false ends the relay (the command is over).
  std::function<bool()> control_ready;  // True when something is buffered already.
  std::function<void(int)> on_signal;   // A signal other than SIGWINCH to pass on.
  std::function<void(winsize)>
      on_resize;  // A new size that `master` does not take: it is recorded.
};

// Relays until on_control() says that the command is over, then drains the terminal's last output.
Result<> relay_terminal(const RelayPlan& plan);

}  // namespace agentsh::client
