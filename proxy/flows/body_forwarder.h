// Takes the content of a message from a buffer to what is to be sent on: as it came, as it came
// with an inspector looking on, rewritten by an inspector, or without its chunked coding. No I/O.
//
// Lifetime: the output is a view of the input or of the forwarder, until the next call.
#pragma once

#include "proxy/codec/http/body_reader.h"
#include "proxy/flows/http_inspector.h"

#include <string>

namespace agentsh::flows {

// How rewritten content is framed.
enum class OutputFraming : std::uint8_t { kAsItCame, kChunked, kPlain };

class BodyForwarder {
 public:
  // The request's or the response's half of the inspector.
  using Inspect = std::optional<InspectorRefusal> (HttpInspector::*)(Bytes, bool, std::string&);

  struct Piece {
    std::size_t consumed = 0;  // Of the input.
    Bytes out;                 // To be sent.
    bool end = false;
    http::Refusal refusal = http::Refusal::kNone;
    std::optional<InspectorRefusal> inspector_refusal = {};

    bool refused() const {
      return refusal != http::Refusal::kNone || inspector_refusal.has_value();
    }
  };

  explicit BodyForwarder(http::BodyReader& reader) : reader_(reader) {}
  void inspect_with(HttpInspector& inspector, Inspect inspect, BodyUse use);
  void frame_as(OutputFraming framing) { framing_ = framing; }

  // All that `input` allows.
  Piece process(Bytes input);
  // The peer's bytes have ended. Refused with kCutShort unless that completes the message.
  Piece finish_at_close();

 private:
  bool rewrites() const { return framing_ != OutputFraming::kAsItCame; }
  std::optional<InspectorRefusal> show(Bytes content, bool last);
  std::optional<InspectorRefusal> substitute(Bytes content, bool last);
  void frame(bool last);

  http::BodyReader& reader_;
  HttpInspector* inspector_ = nullptr;
  Inspect inspect_ = nullptr;
  BodyUse use_ = BodyUse::kPass;
  OutputFraming framing_ = OutputFraming::kAsItCame;
  std::size_t owed_ = 0;  // Bytes that came in and have not gone out (kSubstitute).
  std::string content_;
  std::string framed_;
};

}  // namespace agentsh::flows
