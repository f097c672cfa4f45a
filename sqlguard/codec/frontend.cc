// Messages of the client.
#include "sqlguard/codec/body_reader.h"
#include "sqlguard/codec/messages.h"

namespace agentsh::sql {
namespace {

Result<FrontendMessage> parse_statement(BodyReader& body) {
  Parse message{.name = body.string(), .text = body.string()};
  message.parameter_types = body.list<std::uint32_t>([&] { return body.u32(); });
  return whole<FrontendMessage>(body, 'P', std::move(message));
}

Result<FrontendMessage> parse_bind(BodyReader& body) {
  Bind message{.portal = body.string(), .statement = body.string()};
  message.parameter_formats = body.formats();
  message.parameters = body.list<WireValue>([&] { return body.value(); });
  message.result_formats = body.formats();
  return whole<FrontendMessage>(body, 'B', std::move(message));
}

Result<FrontendMessage> parse_function_call(BodyReader& body) {
  FunctionCall message{.function = body.u32()};
  message.argument_formats = body.formats();
  message.arguments = body.list<WireValue>([&] { return body.value(); });
  message.result_format = body.u16();
  return whole<FrontendMessage>(body, 'F', std::move(message));
}

template <class Message>
Result<FrontendMessage> parse_named(BodyReader& body, char type) {
  Message message{.what = static_cast<char>(body.u8()), .name = body.string()};
  if (message.what != 'S' && message.what != 'P')
    return fail("neither a prepared statement nor a portal is named", std::errc::bad_message);
  return whole<FrontendMessage>(body, type, message);
}

struct Writer {
  ByteWriter& out;

  void operator()(const Query& m) { FrameWriter('Q').string(m.text).finish(out); }
  void operator()(const Parse& m) {
    FrameWriter('P').string(m.name).string(m.text).types(m.parameter_types).finish(out);
  }
  void operator()(const Bind& m) {
    FrameWriter('B')
        .string(m.portal)
        .string(m.statement)
        .formats(m.parameter_formats)
        .values(m.parameters)
        .formats(m.result_formats)
        .finish(out);
  }
  void operator()(const Describe& m) {
    FrameWriter('D').u8(static_cast<std::uint8_t>(m.what)).string(m.name).finish(out);
  }
  void operator()(const Close& m) {
    FrameWriter('C').u8(static_cast<std::uint8_t>(m.what)).string(m.name).finish(out);
  }
  void operator()(const Execute& m) { FrameWriter('E').string(m.portal).u32(m.rows).finish(out); }
  void operator()(const FunctionCall& m) {
    FrameWriter('F')
        .u32(m.function)
        .formats(m.argument_formats)
        .values(m.arguments)
        .u16(m.result_format)
        .finish(out);
  }
  void operator()(const CopyData& m) { FrameWriter('d').bytes(m.data).finish(out); }
  void operator()(const CopyDone&) { FrameWriter('c').finish(out); }
  void operator()(const CopyFail& m) { FrameWriter('f').string(m.message).finish(out); }
  void operator()(const AuthenticationResponse& m) { FrameWriter('p').bytes(m.data).finish(out); }
  void operator()(const Sync&) { FrameWriter('S').finish(out); }
  void operator()(const Flush&) { FrameWriter('H').finish(out); }
  void operator()(const Terminate&) { FrameWriter('X').finish(out); }
};

}  // namespace

Result<FrontendMessage> parse_frontend(const Frame& frame) {
  BodyReader body(frame.body);
  switch (frame.type) {
    case 'Q': {
      Query message{body.string()};
      return whole<FrontendMessage>(body, 'Q', message);
    }
    case 'P':
      return parse_statement(body);
    case 'B':
      return parse_bind(body);
    case 'D':
      return parse_named<Describe>(body, 'D');
    case 'C':
      return parse_named<Close>(body, 'C');
    case 'E': {
      Execute message{.portal = body.string(), .rows = body.u32()};
      return whole<FrontendMessage>(body, 'E', message);
    }
    case 'F':
      return parse_function_call(body);
    case 'd':
      return FrontendMessage(CopyData{frame.body});
    case 'f': {
      CopyFail message{body.string()};
      return whole<FrontendMessage>(body, 'f', message);
    }
    case 'p':
      return FrontendMessage(AuthenticationResponse{frame.body});
    case 'c':
      return whole<FrontendMessage>(body, 'c', CopyDone{});
    case 'S':
      return whole<FrontendMessage>(body, 'S', Sync{});
    case 'H':
      return whole<FrontendMessage>(body, 'H', Flush{});
    case 'X':
      return whole<FrontendMessage>(body, 'X', Terminate{});
    default:
      return fail("a client has no such message", std::errc::bad_message);
  }
}

void write(const FrontendMessage& message, ByteWriter& out) {
  std::visit(Writer{out}, message);
}

Result<std::string_view> password(const AuthenticationResponse& response) {
  BodyReader body(response.data);
  const std::string_view text = body.string();
  if (!body.at_end()) return fail("a password does not end", std::errc::bad_message);
  return text;
}

Result<SaslInitial> sasl_initial(const AuthenticationResponse& response) {
  BodyReader body(response.data);
  SaslInitial initial{.mechanism = body.string(), .data = body.value()};
  if (!body.at_end()) return fail("the first message of SASL is malformed", std::errc::bad_message);
  return initial;
}

}  // namespace agentsh::sql
