#include "proxy/codec/http/error_page.h"

#include "base/json_writer.h"

#include <fmt/format.h>

namespace agentsh::http {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
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

namespace {

std::string json_body(const ErrorPage& page) {
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
  return body;
}

}  // namespace

std::string render(const ErrorPage& page) {
  const std::string ours = page.body.empty() ? json_body(page) : std::string();
  const std::string_view body = page.body.empty() ? std::string_view(ours) : page.body;
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\n{}{}\r\n",
      page.status, reason_phrase(page.status),
      page.body.empty() ? std::string_view("application/json") : page.content_type, body.size(),
      page.fields, page.close ? "Connection: close\r\n" : "");
  if (!page.head_request) out += body;
  return out;
}

}  // namespace agentsh::http
