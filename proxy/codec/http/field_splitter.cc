#include "proxy/codec/http/field_splitter.h"

#include "proxy/codec/http/framing_rules.h"
#include "proxy/codec/http/limits.h"
#include "proxy/codec/http/text.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace agentsh::http {
namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

KnownField known_field(bhttp::field field, std::string_view name) {
  switch (field) {
    case bhttp::field::connection:
      return KnownField::kConnection;
    case bhttp::field::content_length:
      return KnownField::kContentLength;
    case bhttp::field::expect:
      return KnownField::kExpect;
    case bhttp::field::host:
      return KnownField::kHost;
    case bhttp::field::keep_alive:
      return KnownField::kKeepAlive;
    case bhttp::field::te:
      return KnownField::kTe;
    case bhttp::field::trailer:
      return KnownField::kTrailer;
    case bhttp::field::transfer_encoding:
      return KnownField::kTransferEncoding;
    case bhttp::field::upgrade:
      return KnownField::kUpgrade;
    default:
      return starts_ignoring_case(name, "proxy-") ? KnownField::kProxy : KnownField::kOther;
  }
}

std::string_view without_first_line(std::string_view text) {
  return text.substr(std::min(text.find('\n') + 1, text.size()));
}

// Beast stopped at a framing or Connection field: says which rule is broken, from the raw lines.
Refusal explain_bad_framing(std::string_view text) {
  FramingFields fields;
  for (text = without_first_line(text); !text.empty(); text = without_first_line(text)) {
    const std::string_view line = text.substr(0, text.find('\r'));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (equal_ignoring_case(name, "content-length")) fields.add_length(value);
    if (equal_ignoring_case(name, "transfer-encoding")) fields.add_encoding(value);
  }
  const Refusal refusal = judge_framing(fields);
  return refusal != Refusal::kNone ? refusal : Refusal::kBadConnection;
}

// `rest` begins with the line that Beast could not split.
Refusal explain_bad_field(std::string_view rest) {
  const std::string_view line = rest.substr(0, rest.find('\r'));
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return Refusal::kBadField;
  const char before = line[colon - 1];
  const bool space = before == ' ' || before == '\t';
  return space && is_token(trim(line.substr(0, colon))) ? Refusal::kSpaceBeforeColon
                                                        : Refusal::kBadField;
}

// Beast's parser with the fields as offsets. It sees heads only, so its body callbacks never run.
template <bool is_request>
class Splitter : public bhttp::basic_parser<is_request> {
 public:
  Splitter(std::string_view text, StartLine& start, std::vector<Field>& fields)
      : text_(text), start_(start), fields_(fields) {
    fields_.clear();
    this->header_limit(kMaxHeadBytes);
    this->body_limit(boost::none);
  }

  Refusal run() {
    beast::error_code error;
    const std::size_t used =
        this->put(boost::asio::const_buffer(text_.data(), text_.size()), error);
    if (!error && this->is_header_done() && used == text_.size()) return Refusal::kNone;
    return explain(error);
  }

 private:
  Refusal explain(const beast::error_code& error) const {
    if (error == bhttp::error::bad_method) return Refusal::kBadMethod;
    if (error == bhttp::error::bad_target) return Refusal::kBadTarget;
    if (error == bhttp::error::bad_version) {
      if (!is_request) return Refusal::kBadStatusLine;
      // A third space means that the target holds one, not that the version is odd.
      const std::string_view line = text_.substr(0, text_.find('\r'));
      return std::ranges::count(line, ' ') > 2 ? Refusal::kBadTarget : Refusal::kBadVersion;
    }
    if (error == bhttp::error::bad_status || error == bhttp::error::bad_reason) {
      return Refusal::kBadStatusLine;
    }
    if (error == bhttp::error::bad_field) return explain_bad_field(unsplit());
    return explain_bad_framing(text_);
  }

  // What follows the last field that was split.
  std::string_view unsplit() const {
    if (fields_.empty()) return without_first_line(text_);
    const Field& last = fields_.back();
    return without_first_line(text_.substr(last.value + last.value_size));
  }

  void on_request_impl(bhttp::verb, beast::string_view method, beast::string_view target,
                       int version, beast::error_code&) override {
    start_.method = view(method);
    start_.target = view(target);
    start_.minor_version = version - 10;
  }
  void on_response_impl(int status, beast::string_view reason, int version,
                        beast::error_code&) override {
    start_.status = status;
    start_.reason = view(reason);
    start_.minor_version = version - 10;
  }
  void on_field_impl(bhttp::field field, beast::string_view name, beast::string_view value,
                     beast::error_code&) override {
    fields_.push_back({.name = static_cast<std::uint32_t>(name.data() - text_.data()),
                       .value = static_cast<std::uint32_t>(value.data() - text_.data()),
                       .name_size = static_cast<std::uint16_t>(name.size()),
                       .value_size = static_cast<std::uint16_t>(value.size()),
                       .known = known_field(field, view(name))});
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view, beast::error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, beast::error_code&) override {
    return 0;
  }
  void on_finish_impl(beast::error_code&) override {}

  std::string_view text_;
  StartLine& start_;
  std::vector<Field>& fields_;
};

}  // namespace

Refusal split_request(std::string_view text, StartLine& start, std::vector<Field>& fields) {
  return Splitter<true>(text, start, fields).run();
}

Refusal split_response(std::string_view text, StartLine& start, std::vector<Field>& fields) {
  return Splitter<false>(text, start, fields).run();
}

}  // namespace agentsh::http
