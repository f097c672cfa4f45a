// Precompiled header of our libraries in release builds: what nearly every file includes of the
// standard library and fmt takes longer to read than the file itself. Compiled once, with
// agentsh_base; agentsh_library() reuses it. Files include what they use as if it were not there:
// builds of other types have no precompiled header of it and show what is missing.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
