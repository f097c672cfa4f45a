// Bodies of messages, both directions (PostgreSQL 18 documentation, 55.7). Parsed messages are
// views into the body they were parsed from.
//
//   auto frame = read_frame(bytes, Direction::kFrontend);
//   auto message = parse_frontend(**frame);
//   if (auto* query = std::get_if<Query>(&*message)) ...
//
// Parsing fails on anything that the server would not read in the same way: strings without an end,
// bytes left over, counts below zero.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "sqlguard/codec/frame.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace agentsh::sql {

// A value of a parameter or a column: nothing for NULL.
using WireValue = std::optional<Bytes>;

// --- from the client -----------------------------------------------------------------------------

struct Query {
  std::string_view text;
  bool operator==(const Query&) const = default;
};
struct Parse {
  std::string_view name, text;
  std::vector<std::uint32_t> parameter_types;
  bool operator==(const Parse&) const = default;
};
struct Bind {
  std::string_view portal, statement;
  std::vector<std::uint16_t> parameter_formats;  // 0 text, 1 binary; none: all text; one: for all.
  std::vector<WireValue> parameters;
  std::vector<std::uint16_t> result_formats;
};
// Describe and Close of a prepared statement ('S') or a portal ('P').
struct Describe {
  char what;
  std::string_view name;
  bool operator==(const Describe&) const = default;
};
struct Close {
  char what;
  std::string_view name;
  bool operator==(const Close&) const = default;
};
struct Execute {
  std::string_view portal;
  std::uint32_t rows;  // 0: all.
  bool operator==(const Execute&) const = default;
};
struct FunctionCall {
  std::uint32_t function;
  std::vector<std::uint16_t> argument_formats;
  std::vector<WireValue> arguments;
  std::uint16_t result_format;
};
struct CopyData {
  Bytes data;
};
struct CopyFail {
  std::string_view message;
  bool operator==(const CopyFail&) const = default;
};
// 'p': a password, or a step of SASL or GSSAPI; which, the exchange tells (sasl_initial() below).
struct AuthenticationResponse {
  Bytes data;
};
struct CopyDone {
  bool operator==(const CopyDone&) const = default;
};
struct Sync {
  bool operator==(const Sync&) const = default;
};
struct Flush {
  bool operator==(const Flush&) const = default;
};
struct Terminate {
  bool operator==(const Terminate&) const = default;
};

using FrontendMessage =
    std::variant<Query, Parse, Bind, Describe, Close, Execute, FunctionCall, CopyData, CopyDone,
                 CopyFail, AuthenticationResponse, Sync, Flush, Terminate>;

Result<FrontendMessage> parse_frontend(const Frame& frame);
void write(const FrontendMessage& message, ByteWriter& out);

// The bodies that 'p' can have. A password ends with a NUL.
Result<std::string_view> password(const AuthenticationResponse& response);
struct SaslInitial {
  std::string_view mechanism;
  WireValue data;
};
Result<SaslInitial> sasl_initial(const AuthenticationResponse& response);

// --- from the server -----------------------------------------------------------------------------

struct Authentication {
  enum class Kind : std::uint32_t {
    kOk = 0,
    kKerberosV5 = 2,
    kCleartext = 3,
    kMd5 = 5,
    kGss = 7,
    kGssContinue = 8,
    kSspi = 9,
    kSasl = 10,
    kSaslContinue = 11,
    kSaslFinal = 12,
  };
  Kind kind;
  Bytes data;  // The salt, a token, or the list of mechanisms: see sasl_mechanisms().
};
Result<std::vector<std::string_view>> sasl_mechanisms(const Authentication& request);

struct BackendKeyData {
  std::uint32_t process;
  Bytes key;  // 4 bytes in version 3.0, up to 256 in 3.2.
};
struct CommandComplete {
  std::string_view tag;
  // The number at the end of the tag: rows that were affected or returned; nothing without one.
  std::optional<std::uint64_t> rows() const;
  bool operator==(const CommandComplete&) const = default;
};
// CopyInResponse, CopyOutResponse and CopyBothResponse.
struct CopyResponse {
  enum class Way : char { kIn = 'G', kOut = 'H', kBoth = 'W' };
  Way way;
  std::uint8_t format;
  std::vector<std::uint16_t> column_formats;
  bool operator==(const CopyResponse&) const = default;
};
struct DataRow {
  std::vector<WireValue> columns;
};
// ErrorResponse and NoticeResponse: fields in order, by their letter.
struct Report {
  bool is_error;
  std::vector<std::pair<char, std::string_view>> fields;
  std::string_view field(char which) const;
  bool operator==(const Report&) const = default;
};
struct FunctionCallResponse {
  WireValue value;
};
struct NegotiateProtocolVersion {
  std::uint32_t newest_minor;
  std::vector<std::string_view> unknown_options;
  bool operator==(const NegotiateProtocolVersion&) const = default;
};
struct Notification {
  std::uint32_t process;
  std::string_view channel, payload;
  bool operator==(const Notification&) const = default;
};
struct ParameterDescription {
  std::vector<std::uint32_t> types;
  bool operator==(const ParameterDescription&) const = default;
};
struct ParameterStatus {
  std::string_view name, value;
  bool operator==(const ParameterStatus&) const = default;
};
struct ReadyForQuery {
  enum class State : char { kIdle = 'I', kTransaction = 'T', kFailed = 'E' };
  State state;
  bool operator==(const ReadyForQuery&) const = default;
};
struct Column {
  std::string_view name;
  std::uint32_t table;      // 0: no column of a table.
  std::uint16_t attribute;  // Its number there.
  std::uint32_t type;
  std::uint16_t type_size;
  std::uint32_t type_modifier;
  std::uint16_t format;
  bool operator==(const Column&) const = default;
};
struct RowDescription {
  std::vector<Column> columns;
  bool operator==(const RowDescription&) const = default;
};
// Messages that are only their type: '1' ParseComplete, '2' BindComplete, '3' CloseComplete, 'I'
// EmptyQueryResponse, 'n' NoData, 's' PortalSuspended, 'c' CopyDone.
struct Signal {
  char type;
  bool operator==(const Signal&) const = default;
};

using BackendMessage =
    std::variant<Authentication, BackendKeyData, CommandComplete, CopyResponse, CopyData, DataRow,
                 Report, FunctionCallResponse, NegotiateProtocolVersion, Notification,
                 ParameterDescription, ParameterStatus, ReadyForQuery, RowDescription, Signal>;

Result<BackendMessage> parse_backend(const Frame& frame);
void write(const BackendMessage& message, ByteWriter& out);

}  // namespace agentsh::sql
