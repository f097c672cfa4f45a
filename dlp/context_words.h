// Looks for a detector's context words beside a match.
#pragma once

#include "dlp/detector.h"
#include "dlp/pattern_set.h"

#include <string_view>

namespace agentsh::dlp {

// Whether one of the rule's words stands, as a whole word in any letter case, within rule.before
// bytes before the match or rule.after bytes behind it. Letters and digits make words.
bool has_context_word(const ContextRule& rule, std::string_view text, Range match);

}  // namespace agentsh::dlp
