#include "proxy/codec/http/error_page.h"

#include "base/json_writer.h"

#include <fmt/format.h>

namespace agentsh::http {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

std::string render(const ErrorPage& page) {
  JsonWriter json;
  json.begin_object().key("error").begin_object();
  json.field("type", "agentsh").field("status", page.status);
  json.optional_field("code", page.code)
      .optional_field("rule", page.rule)
      .optional_field("message", page.message)
      .optional_field("advice", page.advice);
  json.end_object().end_object();
  std::string body = json.take();
  body += '\n';
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\n{}\r\n",
      page.status, reason_phrase(page.status), body.size(),
      page.close ? "Connection: close\r\n" : "");
  if (!page.head_request) out += body;
  return out;
}

}  // namespace agentsh::http
