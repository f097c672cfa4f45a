#include "proxy/llm/sigv4.h"

#include "base/encoding.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <vector>

namespace agentsh::llm {
namespace {

using Digest = std::array<std::uint8_t, 32>;
using Field = std::pair<std::string, std::string>;

Digest sha256(std::string_view data) {
  Digest digest{};
  unsigned size = 0;
  EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return digest;
}

Digest hmac(std::string_view key, std::string_view data) {
  Digest digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(), &size);
  return digest;
}

Digest hmac(const Digest& key, std::string_view data) {
  return hmac(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()), data);
}

// RFC 3986 §5.2.4 and no empty segments, as AWS does for every service but S3.
std::string clean_path(std::string_view path) {
  std::vector<std::string_view> segments;
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t size = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
    } else if (!segments.empty()) {
      segments.pop_back();
    }
  }
  std::string out;
  for (std::string_view segment : segments) out.append("/").append(segment);
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

std::string canonical_query(std::string_view query) {
  std::vector<Field> parameters;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(part.size() + 1, query.size()));
    if (part.empty()) continue;
    const std::size_t mark = std::min(part.find('='), part.size());
    Field& parameter = parameters.emplace_back();
    parameter.first = percent_encoded(percent_decoded(part.substr(0, mark)));
    parameter.second =
        percent_encoded(percent_decoded(part.substr(std::min(mark + 1, part.size()))));
  }
  std::ranges::sort(parameters);
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// Without blanks around and with runs of blanks as one.
std::string squeezed(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (!blank) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// All fields that are signed, by name, those of one name joined.
std::vector<Field> signed_fields(const SigningRequest& request, const SignedFields& ours) {
  std::vector<Field> fields;
  const auto add = [&fields](std::string_view name, std::string_view value) {
    const std::string key = lower(name);
    const auto at = std::ranges::find(fields, key, &Field::first);
    if (at == fields.end()) {
      fields.emplace_back(key, squeezed(value));
    } else {
      at->second.append(",").append(squeezed(value));
    }
  };
  for (const auto& [name, value] : request.fields) add(name, value);
  add("x-amz-date", ours.date);
  if (!ours.security_token.empty()) add("x-amz-security-token", ours.security_token);
  if (!ours.content_sha256.empty()) add("x-amz-content-sha256", ours.content_sha256);
  std::ranges::sort(fields);
  return fields;
}

std::string names_of(const std::vector<Field>& fields) {
  std::string names;
  for (const Field& field : fields) names.append(names.empty() ? "" : ";").append(field.first);
  return names;
}

}  // namespace

std::string sha256_hex(std::string_view data) {
  return to_hex(sha256(data));
}

std::string canonical_request(const SigningRequest& request, const SignedFields& fields,
                              std::string_view payload_sha256) {
  const std::size_t mark = std::min(request.path.find('?'), request.path.size());
  const std::string_view path = request.path.substr(0, mark);
  std::string out(request.method);
  out += '\n';
  if (request.path_as_is) {
    out += path.empty() ? "/" : path;
  } else {
    out += percent_encoded(clean_path(path), "/");
  }
  out += '\n';
  out += canonical_query(request.path.substr(std::min(mark + 1, request.path.size())));
  out += '\n';
  const std::vector<Field> all = signed_fields(request, fields);
  for (const auto& [name, value] : all) out.append(name).append(":").append(value).append("\n");
  out.append("\n").append(names_of(all)).append("\n").append(payload_sha256);
  return out;
}

SignedFields sign_v4(const SigningRequest& request, const AwsCredentials& credentials,
                     std::string_view payload_sha256, std::chrono::sys_seconds now,
                     bool send_hash) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(now - day);
  SignedFields fields;
  const std::string stamp =
      fmt::format("{:04}{:02}{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  fields.date = fmt::format("{}T{:02}{:02}{:02}Z", stamp, time.hours().count(),
                            time.minutes().count(), time.seconds().count());
  fields.security_token = credentials.session_token;
  if (send_hash) fields.content_sha256 = payload_sha256;

  const std::string scope =
      fmt::format("{}/{}/{}/aws4_request", stamp, request.region, request.service);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", fields.date, scope,
                  sha256_hex(canonical_request(request, fields, payload_sha256)));
  Digest key = hmac("AWS4" + credentials.secret_access_key, stamp);
  for (std::string_view part :
       {request.region, request.service, std::string_view("aws4_request")}) {
    key = hmac(key, part);
  }
  fields.authorization =
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                  credentials.access_key_id, scope, names_of(signed_fields(request, fields)),
                  to_hex(hmac(key, to_sign)));
  return fields;
}

}  // namespace agentsh::llm
