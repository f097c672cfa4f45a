// Parses one whole head, as HeadScanner found it, and decides what it means for framing, addressing
// and the connection. Fields are split by Boost.Beast's parser; everything that two parsers could
// read in two ways is refused here (refusal.h), so what passes has one meaning.
//
// Errors: a Refusal; `out` then holds nothing that may be used.
#pragma once

#include "proxy/codec/http/head.h"
#include "proxy/codec/http/refusal.h"

namespace agentsh::http {

// Precondition: `text` ends with the empty line and passed HeadScanner.
Refusal parse_request_head(std::string_view text, RequestHead& out);
Refusal parse_response_head(std::string_view text, const ResponseContext& context,
                            ResponseHead& out);

}  // namespace agentsh::http
