#include "sandbox/process/terminal.h"

#include "base/file_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

namespace agentsh::sandbox {

Result<Terminal> open_terminal(const char* multiplexer, std::uint16_t rows, std::uint16_t columns) {
  Terminal terminal;
  terminal.master.reset(::open(multiplexer, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.master) return std::unexpected(errno_error("open", multiplexer));
  int locked = 0;
  if (::ioctl(terminal.master.get(), TIOCSPTLCK, &locked) != 0)
    return std::unexpected(errno_error("TIOCSPTLCK"));
  terminal.slave.reset(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave) return std::unexpected(errno_error("TIOCGPTPEER"));
  winsize size{rows, columns, 0, 0};
  if (::ioctl(terminal.slave.get(), TIOCSWINSZ, &size) != 0)
    return std::unexpected(errno_error("TIOCSWINSZ"));
  return terminal;
}

}  // namespace agentsh::sandbox
