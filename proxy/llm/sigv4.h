// AWS Signature Version 4: signing a request again whose body was changed on the way.
//
// Errors: none; what cannot be signed is not representable.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace agentsh::llm {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // Empty: none.
};

struct SigningRequest {
  std::string_view method;
  std::string_view path;  // As it goes on the wire, with query.
  // Header fields to be signed, host among them, without Authorization and the fields that
  // SignedFields sets. Names in any letter case; values as on the wire.
  std::span<const std::pair<std::string, std::string>> fields;
  std::string_view region;
  std::string_view service;
  // Amazon S3 neither encodes its paths twice nor cleans them.
  bool path_as_is = false;
};

// What is to be set on the request. `security_token` and `content_sha256` are empty when they are
// not to be sent.
struct SignedFields {
  std::string authorization;
  std::string date;            // X-Amz-Date
  std::string security_token;  // X-Amz-Security-Token
  std::string content_sha256;  // X-Amz-Content-Sha256
};

// `payload_sha256` is the body's hash in hexadecimal (sha256_hex()). `send_hash`: X-Amz-Content-
// Sha256 is sent and signed, which S3 wants and Bedrock takes.
SignedFields sign_v4(const SigningRequest& request, const AwsCredentials& credentials,
                     std::string_view payload_sha256, std::chrono::sys_seconds now,
                     bool send_hash = false);

// The request in the form that is hashed, for tests and for telling a rejected signature's reason.
std::string canonical_request(const SigningRequest& request, const SignedFields& fields,
                              std::string_view payload_sha256);

std::string sha256_hex(std::string_view data);

}  // namespace agentsh::llm
