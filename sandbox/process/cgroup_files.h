// The control files of a control group's directory.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::sandbox {

// One write(2) of the whole value, which is what the kernel takes as one command.
Result<> write_control(const std::string& path, std::string_view value);

}  // namespace agentsh::sandbox
