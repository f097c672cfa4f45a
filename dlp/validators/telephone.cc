#include "dlp/validators/telephone.h"

#include <algorithm>
#include <array>

namespace agentsh::dlp {

namespace {

struct Plan {
  int code;
  std::size_t shortest;  // Digits behind the code.
  std::size_t longest;
};

// The countries whose plans are worth knowing exactly, by the ITU's list of national plans. Others
// have kOtherCodes and seven to twelve digits.
constexpr std::array kPlans = {
    Plan{1, 10, 10},  Plan{7, 10, 10},  Plan{20, 8, 10},  Plan{27, 9, 9},   Plan{30, 10, 10},
    Plan{31, 9, 9},   Plan{32, 8, 9},   Plan{33, 9, 9},   Plan{34, 9, 9},   Plan{36, 8, 9},
    Plan{39, 6, 11},  Plan{40, 9, 9},   Plan{41, 9, 9},   Plan{43, 7, 13},  Plan{44, 9, 10},
    Plan{45, 8, 8},   Plan{46, 7, 10},  Plan{47, 8, 8},   Plan{48, 9, 9},   Plan{49, 7, 12},
    Plan{51, 8, 9},   Plan{52, 10, 10}, Plan{53, 8, 8},   Plan{54, 10, 11}, Plan{55, 10, 11},
    Plan{56, 9, 9},   Plan{57, 10, 10}, Plan{58, 10, 10}, Plan{60, 8, 10},  Plan{61, 9, 9},
    Plan{62, 8, 12},  Plan{63, 8, 10},  Plan{64, 8, 10},  Plan{65, 8, 8},   Plan{66, 8, 9},
    Plan{81, 9, 10},  Plan{82, 8, 10},  Plan{84, 9, 10},  Plan{86, 10, 11}, Plan{90, 10, 10},
    Plan{91, 10, 10}, Plan{92, 9, 10},  Plan{93, 9, 9},   Plan{94, 9, 9},   Plan{95, 7, 10},
    Plan{98, 10, 10}, Plan{212, 9, 9},  Plan{213, 8, 9},  Plan{216, 8, 8},  Plan{233, 9, 9},
    Plan{234, 8, 10}, Plan{254, 9, 9},  Plan{255, 9, 9},  Plan{256, 9, 9},  Plan{351, 9, 9},
    Plan{352, 6, 11}, Plan{353, 7, 9},  Plan{354, 7, 9},  Plan{355, 8, 9},  Plan{356, 8, 8},
    Plan{357, 8, 8},  Plan{358, 6, 11}, Plan{359, 7, 9},  Plan{370, 8, 8},  Plan{371, 8, 8},
    Plan{372, 7, 8},  Plan{380, 9, 9},  Plan{385, 8, 9},  Plan{386, 8, 8},  Plan{420, 9, 9},
    Plan{421, 9, 9},  Plan{852, 8, 8},  Plan{853, 8, 8},  Plan{880, 8, 10}, Plan{886, 8, 9},
    Plan{961, 7, 8},  Plan{962, 8, 9},  Plan{965, 8, 8},  Plan{966, 8, 9},  Plan{971, 8, 9},
    Plan{972, 8, 9},  Plan{973, 8, 8},  Plan{974, 8, 8},  Plan{977, 8, 10}, Plan{994, 9, 9},
    Plan{995, 9, 9},  Plan{998, 9, 9},
};

// First digits of three-digit codes that are assigned.
bool is_assigned(int code) {
  return (code >= 211 && code <= 299 && code != 214 && code != 215 && code != 217 && code != 219) ||
         (code >= 350 && code <= 389) || (code >= 420 && code <= 423) ||
         (code >= 500 && code <= 509) || (code >= 590 && code <= 599) ||
         (code >= 670 && code <= 692) || (code >= 850 && code <= 886) ||
         (code >= 960 && code <= 979) || (code >= 992 && code <= 998);
}

const Plan* find_plan(const Digits& digits, std::size_t code_size) {
  const auto code = static_cast<int>(digits.number(0, code_size));
  const auto plan = std::ranges::find(kPlans, code, &Plan::code);
  return plan == kPlans.end() ? nullptr : &*plan;
}

}  // namespace

bool is_international_number(const Digits& digits) {
  if (digits.size() < 7 || digits.size() > 15 || digits[0] == 0 || digits.is_sequence()) {
    return false;
  }
  if (digits[0] == 1) return is_north_american_number(digits.from(1));
  for (std::size_t code_size = 1; code_size <= 3; ++code_size) {
    const Plan* plan = find_plan(digits, code_size);
    if (plan == nullptr) continue;
    // "+44 (0)20 ...": the trunk prefix is not dialled, but written.
    const bool trunk = digits[code_size] == 0 && plan->code != 39;
    const std::size_t size = digits.size() - code_size - (trunk ? 1 : 0);
    return size >= plan->shortest && size <= plan->longest;
  }
  return is_assigned(static_cast<int>(digits.number(0, 3))) && digits.size() >= 9 &&
         digits.size() <= 14;
}

bool is_north_american_number(const Digits& digits) {
  return digits.size() == 10 && digits[0] >= 2 && digits[3] >= 2 &&
         !(digits[1] == 1 && digits[2] == 1) && !(digits[4] == 1 && digits[5] == 1) &&
         digits[1] != 9 && !digits.is_sequence() && !digits.first(6).is_sequence();
}

bool is_national_number(const Digits& digits) {
  if (digits.is_sequence() || digits.empty()) return false;
  if (digits.size() == 8 &&
      is_date(static_cast<int>(digits.number(0, 4)), static_cast<int>(digits.number(4, 2)),
              static_cast<int>(digits.number(6, 2)))) {
    return false;
  }
  if (digits[0] == 0) return digits.size() >= 9 && digits.size() <= 12 && digits[1] != 0;
  switch (digits.size()) {
    case 8:
    case 9:  // Spain, Poland, Portugal and others; eight digits in Norway, Denmark, Singapore.
      return digits[0] >= 2;
    case 10:  // North America, Italy's mobiles, India's, Brazil's fixed lines.
      return is_north_american_number(digits) || digits[0] == 3 || digits[0] >= 6 ||
             (digits[0] != 1 && digits[1] != 0 && digits[2] >= 2);
    case 11:  // China's mobiles, Brazil's, North America with its 1.
      return (digits[0] == 1 && digits[1] >= 3) || digits[2] == 9 ||
             (digits[0] == 1 && is_north_american_number(digits.from(1)));
    default:
      return false;
  }
}

}  // namespace agentsh::dlp
