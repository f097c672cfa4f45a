// Numbering plans: which digits can be a telephone number (ITU-T E.164 and the national plans).
#pragma once

#include "dlp/validators/digits.h"

namespace agentsh::dlp {

// Digits behind the plus sign: a country code that is in use and as many digits as its plan has.
bool is_international_number(const Digits& digits);

// Ten digits: area and exchange begin with 2 to 9 and are no service code (N11); 555-01xx, which is
// kept for fiction, counts.
bool is_north_american_number(const Digits& digits);

// Digits as they are dialled within some country: with the trunk prefix 0 and nine to twelve digits
// in all (Germany, France, Japan, the United Kingdom, Australia and others), or without one where
// the plan has none (North America, Spain, Italy, Brazil, India, China, Poland).
bool is_national_number(const Digits& digits);

}  // namespace agentsh::dlp
