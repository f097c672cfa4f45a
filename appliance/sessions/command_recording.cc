#include "appliance/sessions/command_recording.h"

#include "base/file_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace agentsh {
namespace {

Result<UniqueFd> duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return std::unexpected(errno_error("fcntl", "F_DUPFD_CLOEXEC"));
  return copy;
}

}  // namespace

Result<std::unique_ptr<CommandRecording>> CommandRecording::open(
    boost::asio::any_io_executor executor, const policy::AuditRules& audit, const Plan& plan) {
  if (!audit.include_stdout && !audit.include_stderr) return nullptr;
  std::unique_ptr<CommandRecording> recording(
      new CommandRecording(std::move(executor), plan.terminal_fds));
  if (auto made = make_directories(plan.directory, 0700); !made)
    return std::unexpected(made.error());
  const std::string base = plan.directory + "/" + plan.command_id;
  auto keep = [](std::unique_ptr<OutputFile>& place,
                 Result<std::unique_ptr<OutputFile>> file) -> Result<> {
    if (!file) return std::unexpected(file.error());
    place = std::move(*file);
    return {};
  };
  // A terminal mixes both streams: either key asks for it.
  if ((plan.terminal_fds & 6) != 0) {
    auto kept = keep(recording->cast_, OutputFile::terminal(base + ".cast", plan.rows, plan.columns,
                                                            plan.command_line));
    if (!kept) return std::unexpected(kept.error());
  }
  if (audit.include_stdout && (plan.terminal_fds & 2) == 0) {
    auto kept = keep(recording->stdout_, OutputFile::plain(base + ".stdout"));
    if (!kept) return std::unexpected(kept.error());
  }
  if (audit.include_stderr && (plan.terminal_fds & 4) == 0) {
    auto kept = keep(recording->stderr_, OutputFile::plain(base + ".stderr"));
    if (!kept) return std::unexpected(kept.error());
  }
  return recording;
}

Result<> CommandRecording::intercept(std::vector<UniqueFd>& fds) {
  std::size_t place = 0;
  for (int fd = 0; fd < 3 && place < fds.size(); ++fd) {
    if ((terminal_fds_ >> fd & 1) != 0) continue;
    UniqueFd& clients = fds[place++];
    OutputFile* file = fd == 1 ? stdout_.get() : fd == 2 ? stderr_.get() : nullptr;
    if (file == nullptr) continue;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe"));
    UniqueFd read_end(ends[0]), write_end(ends[1]);
    auto relay = StreamRelay::start(executor_, std::move(read_end), std::move(clients),
                                    [file](std::string_view piece) { file->append(piece); });
    if (!relay) return std::unexpected(relay.error());
    outputs_.push_back(std::move(*relay));
    clients = std::move(write_end);
  }
  return {};
}

Result<UniqueFd> CommandRecording::intercept_terminal(UniqueFd terminal) {
  if (!cast_) return terminal;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return std::unexpected(errno_error("socketpair"));
  UniqueFd ours(ends[0]), clients(ends[1]);
  auto master = duplicate(terminal);
  auto master_again = duplicate(terminal);
  auto ours_again = duplicate(ours);
  if (!master || !master_again || !ours_again) return fail("no descriptors left");
  auto output =
      StreamRelay::start(executor_, std::move(*master), std::move(ours),
                         [file = cast_.get()](std::string_view piece) { file->append(piece); });
  if (!output) return std::unexpected(output.error());
  outputs_.push_back(std::move(*output));
  auto input = StreamRelay::start(executor_, std::move(*ours_again), std::move(*master_again),
                                  [](std::string_view) {});
  if (!input) return std::unexpected(input.error());
  keystrokes_ = std::move(*input);
  terminal_ = std::move(terminal);
  return clients;
}

void CommandRecording::resize(std::uint16_t rows, std::uint16_t columns) {
  if (!terminal_) return;
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
  cast_->resized(rows, columns);
}

boost::asio::awaitable<void> CommandRecording::finish() {
  for (const auto& output : outputs_) output->finish();
  for (const auto& output : outputs_) co_await output->ended();
  keystrokes_.reset();
  terminal_.reset();
}

void CommandRecording::abandon() {
  for (const auto& output : outputs_) output->abandon();
  keystrokes_.reset();
  // With the last descriptor the command gets a hang-up, as from any terminal.
  terminal_.reset();
}

void CommandRecording::describe(audit::Event& event) const {
  std::vector<std::string> paths;
  bool truncated = false;
  for (const auto& file : {cast_.get(), stdout_.get(), stderr_.get()}) {
    if (file == nullptr) continue;
    paths.push_back(file->path());
    truncated |= file->truncated();
  }
  event.field("recordings", paths);
  if (truncated) event.field("recordings_truncated", true);
}

}  // namespace agentsh
