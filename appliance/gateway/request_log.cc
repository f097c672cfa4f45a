#include "appliance/gateway/request_log.h"

#include "base/file_io.h"
#include "base/log.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

namespace agentsh {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxQueued = 100'000;
constexpr std::size_t kMaxRead = 256u << 20;
constexpr std::chrono::milliseconds kGather{50};
constexpr std::chrono::minutes kSweepEvery{10};
constexpr std::chrono::seconds kFlushLimit{5};
constexpr std::string_view kGatewayName = "gateway";

struct Lines {
  std::string session;
  std::string text;
};

struct LogFile {
  std::string path;
  std::uintmax_t size = 0;
  fs::file_time_type changed;
};

bool is_name(std::string_view id) {
  return !id.empty() && id.size() <= 200 && id != "." && id != ".." &&
         id.find('/') == std::string_view::npos && id.find('\0') == std::string_view::npos;
}

Result<> append(const std::string& directory, const std::string& session, std::string_view text) {
  const std::string folder = directory + "/" + session;
  if (auto made = make_directories(folder, 0700); !made) return made;
  const std::string path = folder + "/" + RequestLog::kFileName;
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return std::unexpected(errno_error("open", path));
  return write_all(file.get(), text, path);
}

std::vector<LogFile> find_files(const std::string& directory) {
  std::vector<LogFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path path = entry->path() / RequestLog::kFileName;
    std::error_code missing;
    const auto size = fs::file_size(path, missing);
    const auto changed = fs::last_write_time(path, missing);
    if (!missing) files.push_back({path.native(), size, changed});
  }
  return files;
}

// Which go, so that the others are young and small enough.
std::vector<LogFile> superfluous(std::vector<LogFile> files,
                                 const config::LlmStorageSection& retention) {
  const bool by_size = retention.eviction == config::LlmLogEviction::kLargestFirst;
  std::ranges::sort(files, [by_size](const LogFile& a, const LogFile& b) {
    return by_size ? a.size > b.size : a.changed < b.changed;
  });
  std::uintmax_t total = 0;
  for (const LogFile& file : files) total += file.size;
  const std::uintmax_t limit = static_cast<std::uintmax_t>(retention.max_size_mb) << 20;
  const auto oldest = fs::file_time_type::clock::now() - std::chrono::days(retention.max_age_days);
  std::erase_if(files, [&](const LogFile& file) {
    const bool old = retention.max_age_days > 0 && file.changed < oldest;
    const bool much = retention.max_size_mb > 0 && total > limit;
    if (old || much) total -= file.size;
    return !old && !much;
  });
  return files;
}

}  // namespace

struct RequestLog::State {
  std::string directory;
  config::LlmStorageSection retention;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Lines> queue;
  std::uint64_t taken = 0;
  std::uint64_t written = 0;
  bool hurry = false;
  bool ending = false;
  std::thread writer;

  void run();
  void write(const std::deque<Lines>& batch) const;
  void sweep() const;
};

void RequestLog::State::sweep() const {
  for (const LogFile& file : superfluous(find_files(directory), retention)) {
    std::error_code error;
    fs::remove(file.path, error);
    if (error) log_warning("llm", "{}: {}", file.path, error.message());
  }
}

void RequestLog::State::write(const std::deque<Lines>& batch) const {
  std::map<std::string, std::string> by_session;
  for (const Lines& lines : batch) by_session[lines.session] += lines.text;
  for (const auto& [session, text] : by_session) {
    if (auto done = append(directory, session, text); !done) {
      log_warning("llm", "{}", done.error().what);
    }
  }
}

void RequestLog::State::run() {
  auto next_sweep = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex);
  for (;;) {
    if (std::chrono::steady_clock::now() >= next_sweep) {
      lock.unlock();
      sweep();
      next_sweep = std::chrono::steady_clock::now() + kSweepEvery;
      lock.lock();
    }
    changed.wait_until(lock, next_sweep, [&] { return !queue.empty() || ending; });
    if (queue.empty() && ending) return;
    if (queue.empty()) continue;
    changed.wait_for(lock, kGather, [&] { return hurry || ending; });
    std::deque<Lines> batch;
    batch.swap(queue);
    lock.unlock();
    write(batch);
    lock.lock();
    written += batch.size();
    if (queue.empty()) hurry = false;
    changed.notify_all();
  }
}

RequestLog::RequestLog(std::string directory, config::LlmStorageSection retention)
    : state_(std::make_unique<State>()) {
  state_->directory = std::move(directory);
  state_->retention = retention;
  state_->writer = std::thread([this] { state_->run(); });
}

RequestLog::~RequestLog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->writer.join();
}

void RequestLog::take(const llm::Record& record) {
  Lines lines{.session = record.session_id.empty() ? std::string(kGatewayName) : record.session_id,
              .text = llm::request_line(record)};
  if (!is_name(lines.session)) return;
  lines.text += '\n';
  lines.text += llm::response_line(record);
  lines.text += '\n';
  const std::lock_guard lock(state_->mutex);
  if (state_->queue.size() >= kMaxQueued) return;  // The disk does not keep up; the trail has it.
  ++state_->taken;
  state_->queue.push_back(std::move(lines));
  if (state_->queue.size() == 1) state_->changed.notify_all();
}

void RequestLog::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t target = state_->taken;
  state_->hurry = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, kFlushLimit, [&] { return state_->written >= target; });
}

Result<std::string> RequestLog::read(const std::string& session_id) {
  if (!is_name(session_id)) return fail("this is no session's id");
  flush();
  auto text = read_file(state_->directory + "/" + session_id + "/" + kFileName, kMaxRead);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return std::string();
  return text;
}

}  // namespace agentsh
