// The parts of `agentsh dlp`.
#pragma once

#include "appliance/cli/dlp_verbs.h"

#include <memory>
#include <string>
#include <vector>

namespace agentsh::dlp {
class Profile;
}

namespace agentsh::cli {

inline constexpr int kDlpWell = 0;
inline constexpr int kDlpFound = 1;
inline constexpr int kDlpError = 2;

struct DlpArguments {
  std::vector<std::string> files;      // Of scan: also directories. None: standard input.
  std::vector<std::string> detectors;  // Ids; none: those that the configuration does not disable.
  std::string config;
  std::string mode;
  std::string type;
  std::string vault;
  std::string word;
  double min_confidence = 0.5;
  bool json = false;
  bool show_values = false;
  bool validators = false;
};

int complain_dlp(std::string_view what);
// The configuration's detectors, those that were asked for only.
Result<std::shared_ptr<const dlp::Profile>> dlp_profile(const DlpArguments& arguments,
                                                        const DlpSetupLoader& load);

int dlp_scan(const DlpArguments& arguments, const DlpSetupLoader& load);
int dlp_redact(const DlpArguments& arguments, const DlpSetupLoader& load);
int dlp_restore(const DlpArguments& arguments);
int dlp_detectors(const DlpArguments& arguments, const DlpSetupLoader& load);

// Reads a file, or standard input for "-", in pieces. `take` says whether to go on.
Result<void> read_pieces(const std::string& file,
                         const std::function<bool(std::string_view piece)>& take);

}  // namespace agentsh::cli
