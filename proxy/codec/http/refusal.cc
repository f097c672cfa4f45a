#include "proxy/codec/http/refusal.h"

#include <array>

namespace agentsh::http {
namespace {

constexpr std::array<RefusalInfo, kRefusalCount> kTable = {{
    {"none", 200, "Nothing is wrong"},
    {"head_too_large", 431, "The head is larger than 64 KB"},
    {"too_many_fields", 431, "The head has more than 200 header fields"},
    {"bare_carriage_return", 400, "A carriage return stands without a line feed"},
    {"bare_line_feed", 400, "A line ends with a line feed alone instead of CR LF"},
    {"control_byte", 400, "The head contains NUL or another control byte"},
    {"obsolete_folding", 400, "A header field is continued on the next line (obsolete folding)"},
    {"space_before_colon", 400, "There is white space between a field name and its colon"},
    {"bad_field", 400, "A header line is not a name, a colon and a value"},
    {"empty_first_line", 400, "An empty line stands before the message"},
    {"bad_method", 400, "The method is not made of upper-case letters, digits, '-' and '_'"},
    {"bad_target", 400, "The request target is neither a path, an http(s) URL, host:port nor '*'"},
    {"bad_version", 505, "The version is not HTTP/1.0 or HTTP/1.1"},
    {"bad_status_line", 502, "The status line is malformed"},
    {"look_alike_field", 400,
     "A field name would be read as a framing field by servers that treat '_' as '-'"},
    {"length_and_encoding", 400, "Content-Length and Transfer-Encoding are both present"},
    {"repeated_length", 400, "Content-Length occurs more than once or is a list"},
    {"bad_length", 400, "Content-Length is not a plain decimal number that fits 63 bits"},
    {"repeated_encoding", 400, "Transfer-Encoding occurs more than once"},
    {"bad_encoding", 400, "Transfer-Encoding is something else than exactly 'chunked'"},
    {"encoding_in_http10", 400, "An HTTP/1.0 message has Transfer-Encoding"},
    {"connection_names_framing", 400,
     "Connection names a field that says where the message ends or whom it is for"},
    {"bad_connection", 400, "Connection is not a list of names"},
    {"content_in_connect", 400, "A CONNECT request has content"},
    {"content_forbidden", 502, "A response that cannot have content announces some"},
    {"missing_host", 400, "The Host field is missing"},
    {"repeated_host", 400, "The Host field occurs more than once"},
    {"bad_host", 400, "The Host field, or the authority of the target, is not a host name"},
    {"host_differs_from_target", 400, "The Host field and the URL in the request line differ"},
    {"bad_chunk_size", 400, "A chunk size is not a plain hexadecimal number"},
    {"chunk_size_overflow", 400, "A chunk size does not fit 63 bits"},
    {"bad_chunk_extension", 400, "A chunk extension is malformed"},
    {"chunk_extensions_too_long", 400, "Chunk extensions are too long"},
    {"chunk_not_terminated", 400, "A chunk is not followed by CR LF where its size says it ends"},
    {"trailers_too_large", 431, "The trailer section is larger than 8 KB"},
    {"bad_trailer", 400, "A trailer line is malformed"},
    {"forbidden_trailer", 400, "A trailer names a field that must not come after the content"},
    {"unexpected_upgrade", 502, "The server switches protocols though it was not asked to"},
    {"too_many_interim", 502, "The server sends too many interim responses"},
    {"cut_short", 502, "The connection ended in the middle of the message"},
}};

}  // namespace

const RefusalInfo& describe(Refusal refusal) {
  return kTable[static_cast<std::size_t>(refusal)];
}

}  // namespace agentsh::http
