#include "appliance/cli/dlp_scan.h"

#include "base/encoding.h"
#include "base/json_writer.h"
#include "base/unique_fd.h"
#include "dlp/database_cache.h"
#include "dlp/scan_stream.h"
#include "dlp/scanner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace agentsh::cli {
namespace {

constexpr std::size_t kPiece = 64 << 10;
// Of a value, what is shown without --show-values.
constexpr std::size_t kShown = 4;
constexpr std::size_t kShownOf = 12;

struct Place {
  std::uint64_t line = 1;
  std::uint64_t column = 1;  // In bytes.
};

// Follows a text's lines; places must be asked for in order.
class Lines {
 public:
  void add(std::string_view text) { text_.append(text); }
  Place place_of(std::uint64_t offset) {
    for (; at_ < offset; ++at_) {
      const bool is_end = text_[static_cast<std::size_t>(at_ - base_)] == '\n';
      place_.line += is_end ? 1 : 0;
      place_.column = is_end ? 1 : place_.column + 1;
    }
    text_.erase(0, static_cast<std::size_t>(at_ - base_));
    base_ = at_;
    return place_;
  }
  // What lies before `offset` is not asked for any more.
  void pass(std::uint64_t offset) { place_of(std::max(offset, at_)); }

 private:
  std::string text_;  // From offset base_ on.
  std::uint64_t base_ = 0;
  std::uint64_t at_ = 0;
  Place place_;
};

std::string preview(std::string_view value, bool all) {
  if (all) return printable(value);
  if (value.size() < kShownOf) return fmt::format("({} bytes)", value.size());
  return fmt::format("{}... ({} bytes)", printable(value.substr(0, kShown)), value.size());
}

// Scans one file after the other and prints what it finds.
class Scan {
 public:
  Scan(const DlpArguments& arguments, std::shared_ptr<const dlp::Profile> profile)
      : arguments_(arguments), profile_(std::move(profile)), color_(::isatty(STDOUT_FILENO) == 1) {
    json_.begin_array();
  }

  void path(const std::string& path) {
    std::error_code error;
    if (path == "-" || !std::filesystem::is_directory(path, error)) return file(path);
    using Walk = std::filesystem::recursive_directory_iterator;
    Walk walk(path, std::filesystem::directory_options::skip_permission_denied, error);
    std::vector<std::string> files;
    for (; !error && walk != Walk(); walk.increment(error)) {
      if (walk->path().filename() == ".git") walk.disable_recursion_pending();
      if (walk->is_regular_file(error) && !walk->is_symlink(error)) files.push_back(walk->path());
    }
    if (error) failed_ |= complain_dlp(fmt::format("{}: {}", path, error.message())) != 0;
    std::ranges::sort(files);
    for (const std::string& each : files) file(each);
  }

  int finish() {
    json_.end_array();
    if (arguments_.json) fmt::print("{}\n", json_.take());
    if (failed_) return kDlpError;
    return found_ > 0 ? kDlpFound : kDlpWell;
  }

 private:
  void file(const std::string& name) {
    dlp::ScanStream stream(profile_);
    Lines lines;
    const auto receive = [&](const dlp::ScanStream::Found& found) {
      ++found_;
      print(name, lines.place_of(found.hit.begin), found);
    };
    stream.begin({});
    const auto read = read_pieces(name, [&](std::string_view piece) {
      lines.add(piece);
      stream.push(piece, receive);
      lines.pass(stream.settled());
      return true;
    });
    stream.finish({}, receive);
    if (!read) failed_ |= complain_dlp(read.error().what) != 0;
  }

  void print(const std::string& name, Place place, const dlp::ScanStream::Found& found) {
    const dlp::Detector& detector = profile_->scanner()->detectors()[found.hit.detector];
    if (arguments_.json) {
      json_.begin_object()
          .field("file", name)
          .field("line", place.line)
          .field("column", place.column)
          .field("begin", found.hit.begin)
          .field("end", found.hit.end)
          .field("detector", detector.id)
          .field("title", detector.title)
          .field("kind", dlp::to_string(detector.kind))
          .field("severity", dlp::to_string(detector.severity))
          .field("confidence", std::stod(fmt::format("{:.2f}", found.hit.confidence)))
          .field("mode", dlp::to_string(profile_->mode_of(found.hit.detector)));
      if (arguments_.show_values) json_.field("value", found.value);
      json_.end_object();
      return;
    }
    const char* bold = color_ ? "\x1b[1m" : "";
    const char* red = color_ ? "\x1b[31m" : "";
    const char* plain = color_ ? "\x1b[0m" : "";
    fmt::print("{}{}:{}:{}:{} {}{}{} {:.2f} bytes {}-{} {} {}\n", bold, name, place.line,
               place.column, plain, red, detector.id, plain, found.hit.confidence, found.hit.begin,
               found.hit.end, detector.title, preview(found.value, arguments_.show_values));
  }

  const DlpArguments& arguments_;
  std::shared_ptr<const dlp::Profile> profile_;
  bool color_;
  JsonWriter json_{2};
  std::uint64_t found_ = 0;
  bool failed_ = false;
};

}  // namespace

int complain_dlp(std::string_view what) {
  fmt::print(stderr, "agentsh dlp: {}\n", what);
  return kDlpError;
}

Result<void> read_pieces(const std::string& file,
                         const std::function<bool(std::string_view piece)>& take) {
  UniqueFd opened;
  int fd = STDIN_FILENO;
  if (file != "-") {
    opened = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return std::unexpected(errno_error("open", file));
    fd = opened.get();
  }
  std::string buffer(kPiece, '\0');
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno_error("read", file));
    if (got == 0 || !take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)))) {
      return {};
    }
  }
}

Result<std::shared_ptr<const dlp::Profile>> dlp_profile(const DlpArguments& arguments,
                                                        const DlpSetupLoader& load) {
  auto setup = load(arguments.config);
  if (!setup) return std::unexpected(setup.error());
  dlp::ProfileSettings& settings = setup->settings;
  settings.min_confidence = arguments.min_confidence;
  if (!arguments.mode.empty()) {
    const auto mode = dlp::parse_mode(arguments.mode);
    if (!mode) {
      return fail(
          fmt::format("--mode {}: say redact, tokenize, block, audit or disabled", arguments.mode));
    }
    settings.mode = *mode;
  }
  if (!arguments.detectors.empty()) {
    for (const std::string& id : arguments.detectors) {
      if (std::ranges::find(setup->detectors, id, &dlp::Detector::id) == setup->detectors.end()) {
        return fail(fmt::format("there is no detector {}; `agentsh dlp detectors` lists them", id));
      }
    }
    // Only these are built, which also is faster.
    std::erase_if(setup->detectors, [&](const dlp::Detector& detector) {
      return std::ranges::find(arguments.detectors, detector.id) == arguments.detectors.end();
    });
    settings.detectors.clear();
  }
  std::erase_if(settings.detectors, [&](const auto& entry) {
    return std::ranges::find(setup->detectors, entry.first, &dlp::Detector::id) ==
           setup->detectors.end();
  });
  auto scanner = dlp::Scanner::build(std::move(setup->detectors), dlp::user_cache_directory());
  if (!scanner) return std::unexpected(scanner.error());
  return dlp::Profile::make(std::move(*scanner), settings);
}

int dlp_scan(const DlpArguments& arguments, const DlpSetupLoader& load) {
  auto asked = arguments;
  // A scan reports whatever the configuration does about it.
  if (asked.mode.empty()) asked.mode = "audit";
  auto profile = dlp_profile(asked, load);
  if (!profile) return complain_dlp(profile.error().what);
  Scan scan(arguments, std::move(*profile));
  if (arguments.files.empty()) scan.path("-");
  for (const std::string& path : arguments.files) scan.path(path);
  return scan.finish();
}

}  // namespace agentsh::cli
