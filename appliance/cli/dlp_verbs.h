// `agentsh dlp scan | redact | restore | detectors`: what must not leave, found and replaced in
// files and pipes, offline, with the detectors and modes of the server's configuration.
//
// Exit codes: scan: 0 nothing was found, 1 something was, 2 an error (as grep has it the other way
// round, and gitleaks has it); redact: 0, 1 a detector blocks the text, 2 an error; restore and
// detectors: 0, 2 an error. Results go to standard output, complaints to standard error.
#pragma once

#include "base/result.h"
#include "dlp/detector.h"
#include "dlp/profile.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace agentsh::cli {

// What a configuration says about DLP.
struct DlpSetup {
  std::vector<dlp::Detector> detectors;
  dlp::ProfileSettings settings;
};
// Reads a configuration file; "" stands for the one that the server would read.
using DlpSetupLoader = std::function<Result<DlpSetup>(const std::string& config_file)>;

// `args` are what follows `agentsh dlp`.
int run_dlp_verb(std::span<const std::string> args, const DlpSetupLoader& load);

}  // namespace agentsh::cli
