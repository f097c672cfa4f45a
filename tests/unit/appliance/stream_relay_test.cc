// The thread between a recorded command and its client.
#include "appliance/sessions/stream_relay.h"

#include "base/file_io.h"
#include "tests/support/run_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace agentsh {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end = UniqueFd(ends[0]);
    write_end = UniqueFd(ends[1]);
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

class Relaying : public ::testing::Test {
 protected:
  void start() {
    auto relay =
        StreamRelay::start(loop_.get_executor(), std::move(in_.read_end), std::move(out_.write_end),
                           [this](std::string_view piece) { seen_ += piece; });
    ASSERT_TRUE(relay);
    relay_ = std::move(*relay);
  }
  void wait() { test::run_loop(loop_, relay_->ended()); }
  std::string read_out() {
    std::string text(1 << 16, '\0');
    const ssize_t got = ::read(out_.read_end.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  boost::asio::io_context loop_{1};
  Pipe in_;
  Pipe out_;
  std::string seen_;
  std::unique_ptr<StreamRelay> relay_;
};

TEST_F(Relaying, PassesOnAndShowsUntilTheWriterEnds) {
  start();
  ASSERT_TRUE(write_all(in_.write_end.get(), "hello", "pipe"));
  in_.write_end.reset();
  wait();
  EXPECT_EQ(read_out(), "hello");
  EXPECT_EQ(seen_, "hello");
  EXPECT_EQ(read_out(), "") << "the reader is told of the end";
}

TEST_F(Relaying, FinishPassesOnWhatHasCome) {
  ASSERT_TRUE(write_all(in_.write_end.get(), "late", "pipe"));
  start();
  relay_->finish();  // The writer is still open, as with a child left in the background.
  wait();
  EXPECT_EQ(read_out(), "late");
}

TEST_F(Relaying, AReaderThatIsGoneEndsIt) {
  out_.read_end.reset();
  start();
  ASSERT_TRUE(write_all(in_.write_end.get(), "x", "pipe"));
  wait();
  EXPECT_EQ(::write(in_.write_end.get(), "y", 1), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(Relaying, AReaderThatDoesNotReadIsNotWaitedForAfterAbandon) {
  ASSERT_TRUE(write_all(in_.write_end.get(), std::string(60'000, 'x'), "pipe"));
  ::fcntl(out_.write_end.get(), F_SETPIPE_SZ, 4096);
  start();
  relay_->abandon();
  wait();
}

}  // namespace
}  // namespace agentsh
