// Messages of the server.
#include "sqlguard/codec/body_reader.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/codec/startup.h"

#include <algorithm>
#include <charconv>

namespace agentsh::sql {
namespace {

Result<BackendMessage> parse_authentication(BodyReader& body) {
  const auto kind = static_cast<Authentication::Kind>(body.u32());
  const Authentication message{.kind = kind, .data = body.rest()};
  const std::size_t size = message.data.size();
  switch (kind) {
    case Authentication::Kind::kOk:
    case Authentication::Kind::kKerberosV5:
    case Authentication::Kind::kCleartext:
    case Authentication::Kind::kGss:
    case Authentication::Kind::kSspi:
      if (size != 0) return fail("a request to authenticate has a body", std::errc::bad_message);
      break;
    case Authentication::Kind::kMd5:
      if (size != 4) return fail("a salt has not four bytes", std::errc::bad_message);
      break;
    case Authentication::Kind::kSasl:
      if (auto mechanisms = sasl_mechanisms(message); !mechanisms)
        return std::unexpected(mechanisms.error());
      break;
    case Authentication::Kind::kGssContinue:
    case Authentication::Kind::kSaslContinue:
    case Authentication::Kind::kSaslFinal:
      break;
    default:
      return fail("the way to authenticate is not known", std::errc::bad_message);
  }
  return whole<BackendMessage>(body, 'R', message);
}

Result<BackendMessage> parse_key(BodyReader& body) {
  const BackendKeyData message{.process = body.u32(), .key = body.rest()};
  if (message.key.size() < 4 || message.key.size() > kMaximumCancelKey)
    return fail("a key for cancelling has no known length", std::errc::bad_message);
  return whole<BackendMessage>(body, 'K', message);
}

Result<BackendMessage> parse_report(BodyReader& body, char type) {
  Report message{.is_error = type == 'E'};
  while (body.ok()) {
    const char field = static_cast<char>(body.u8());
    if (field == '\0') break;
    message.fields.emplace_back(field, body.string());
  }
  return whole<BackendMessage>(body, type, std::move(message));
}

Result<BackendMessage> parse_columns(BodyReader& body) {
  RowDescription message;
  message.columns = body.list<Column>([&] {
    return Column{.name = body.string(),
                  .table = body.u32(),
                  .attribute = body.u16(),
                  .type = body.u32(),
                  .type_size = body.u16(),
                  .type_modifier = body.u32(),
                  .format = body.u16()};
  });
  return whole<BackendMessage>(body, 'T', std::move(message));
}

Result<BackendMessage> parse_version(BodyReader& body) {
  NegotiateProtocolVersion message{.newest_minor = body.u32()};
  const std::uint32_t count = body.u32();
  for (std::uint32_t i = 0; i < count && body.ok(); ++i)
    message.unknown_options.push_back(body.string());
  return whole<BackendMessage>(body, 'v', std::move(message));
}

Result<BackendMessage> parse_state(BodyReader& body) {
  const char state = static_cast<char>(body.u8());
  if (state != 'I' && state != 'T' && state != 'E')
    return fail("the state of the transaction is not known", std::errc::bad_message);
  return whole<BackendMessage>(body, 'Z', ReadyForQuery{static_cast<ReadyForQuery::State>(state)});
}

struct Writer {
  ByteWriter& out;

  void operator()(const Authentication& m) {
    FrameWriter('R').u32(static_cast<std::uint32_t>(m.kind)).bytes(m.data).finish(out);
  }
  void operator()(const BackendKeyData& m) {
    FrameWriter('K').u32(m.process).bytes(m.key).finish(out);
  }
  void operator()(const CommandComplete& m) { FrameWriter('C').string(m.tag).finish(out); }
  void operator()(const CopyResponse& m) {
    FrameWriter(static_cast<char>(m.way)).u8(m.format).formats(m.column_formats).finish(out);
  }
  void operator()(const CopyData& m) { FrameWriter('d').bytes(m.data).finish(out); }
  void operator()(const DataRow& m) { FrameWriter('D').values(m.columns).finish(out); }
  void operator()(const Report& m) {
    FrameWriter frame(m.is_error ? 'E' : 'N');
    for (const auto& [field, text] : m.fields)
      frame.u8(static_cast<std::uint8_t>(field)).string(text);
    frame.u8(0).finish(out);
  }
  void operator()(const FunctionCallResponse& m) { FrameWriter('V').value(m.value).finish(out); }
  void operator()(const NegotiateProtocolVersion& m) {
    FrameWriter frame('v');
    frame.u32(m.newest_minor).u32(static_cast<std::uint32_t>(m.unknown_options.size()));
    for (const std::string_view option : m.unknown_options) frame.string(option);
    frame.finish(out);
  }
  void operator()(const Notification& m) {
    FrameWriter('A').u32(m.process).string(m.channel).string(m.payload).finish(out);
  }
  void operator()(const ParameterDescription& m) { FrameWriter('t').types(m.types).finish(out); }
  void operator()(const ParameterStatus& m) {
    FrameWriter('S').string(m.name).string(m.value).finish(out);
  }
  void operator()(const ReadyForQuery& m) {
    FrameWriter('Z').u8(static_cast<std::uint8_t>(m.state)).finish(out);
  }
  void operator()(const RowDescription& m) {
    FrameWriter frame('T');
    frame.u16(static_cast<std::uint16_t>(m.columns.size()));
    for (const Column& c : m.columns) {
      frame.string(c.name).u32(c.table).u16(c.attribute).u32(c.type);
      frame.u16(c.type_size).u32(c.type_modifier).u16(c.format);
    }
    frame.finish(out);
  }
  void operator()(const Signal& m) { FrameWriter(m.type).finish(out); }
};

}  // namespace

Result<BackendMessage> parse_backend(const Frame& frame) {
  BodyReader body(frame.body);
  const auto done = [&](auto message) {
    return whole<BackendMessage>(body, frame.type, std::move(message));
  };
  switch (frame.type) {
    case 'R':
      return parse_authentication(body);
    case 'K':
      return parse_key(body);
    case 'C':
      return done(CommandComplete{body.string()});
    case 'G':
    case 'H':
    case 'W':
      return done(
          CopyResponse{static_cast<CopyResponse::Way>(frame.type), body.u8(), body.formats()});
    case 'd':
      return BackendMessage(CopyData{frame.body});
    case 'D':
      return done(DataRow{body.list<WireValue>([&] { return body.value(); })});
    case 'E':
    case 'N':
      return parse_report(body, frame.type);
    case 'V':
      return done(FunctionCallResponse{body.value()});
    case 'v':
      return parse_version(body);
    case 'A':
      return done(Notification{body.u32(), body.string(), body.string()});
    case 't':
      return done(ParameterDescription{body.list<std::uint32_t>([&] { return body.u32(); })});
    case 'S':
      return done(ParameterStatus{body.string(), body.string()});
    case 'Z':
      return parse_state(body);
    case 'T':
      return parse_columns(body);
    case '1':
    case '2':
    case '3':
    case 'I':
    case 'n':
    case 's':
    case 'c':
      return done(Signal{frame.type});
    default:
      return fail("a server has no such message", std::errc::bad_message);
  }
}

void write(const BackendMessage& message, ByteWriter& out) {
  std::visit(Writer{out}, message);
}

Result<std::vector<std::string_view>> sasl_mechanisms(const Authentication& request) {
  BodyReader body(request.data);
  std::vector<std::string_view> names;
  while (body.ok()) {
    const std::string_view name = body.string();
    if (name.empty()) break;
    names.push_back(name);
  }
  if (!body.at_end()) return fail("the list of mechanisms does not end", std::errc::bad_message);
  return names;
}

std::optional<std::uint64_t> CommandComplete::rows() const {
  const std::size_t space = tag.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(tag.data() + space + 1, tag.data() + tag.size(), count);
  if (error != std::errc() || end != tag.data() + tag.size()) return std::nullopt;
  return count;
}

std::string_view Report::field(char which) const {
  const auto found = std::ranges::find(fields, which, &std::pair<char, std::string_view>::first);
  return found == fields.end() ? std::string_view() : found->second;
}

}  // namespace agentsh::sql
