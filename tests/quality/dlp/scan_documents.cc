// Scans documents from standard input with the shipped catalogue and prints the hits.
//
//   scan_documents [catalogue folder] < documents
//
// A document is a line "<number of bytes>" and the bytes. A hit is a line "<document> <begin> <end>
// <detector> <confidence>"; the first line names the detectors and whether they look for secrets.

#include "dlp/catalogue.h"
#include "dlp/profile.h"
#include "dlp/scanner.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

using namespace agentsh;
using namespace agentsh::dlp;

namespace {

Result<std::vector<Detector>> load_folder(const std::string& folder) {
  std::vector<Detector> all;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream file(path);
    const std::string yaml((std::istreambuf_iterator<char>(file)), {});
    auto some = load_catalogue(yaml, path.filename().string());
    if (!some) return some;
    std::move(some->begin(), some->end(), std::back_inserter(all));
  }
  return all;
}

int fail_with(const Error& error) {
  std::fprintf(stderr, "%s\n", error.what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  auto detectors = argc > 1 ? load_folder(argv[1]) : builtin_catalogue();
  if (!detectors) return fail_with(detectors.error());
  auto scanner = Scanner::build(std::move(*detectors));
  if (!scanner) return fail_with(scanner.error());
  auto profile = Profile::make(*scanner, {.mode = Mode::kAudit, .detectors = {}});
  if (!profile) return fail_with(profile.error());
  for (const Detector& detector : (*scanner)->detectors()) {
    std::printf("%s:%s ", detector.id.c_str(), std::string(to_string(detector.kind)).c_str());
  }
  std::printf("\n");
  std::string line;
  std::string text;
  for (unsigned long number = 0; std::getline(std::cin, line); ++number) {
    text.resize(std::stoul(line));
    if (!std::cin.read(text.data(), static_cast<std::streamsize>(text.size()))) return 1;
    for (const Hit& hit : (*scanner)->scan(text, **profile)) {
      std::printf("%lu %llu %llu %s %.2f\n", number, static_cast<unsigned long long>(hit.begin),
                  static_cast<unsigned long long>(hit.end),
                  (*scanner)->detectors()[hit.detector].id.c_str(),
                  static_cast<double>(hit.confidence));
    }
  }
  return 0;
}
