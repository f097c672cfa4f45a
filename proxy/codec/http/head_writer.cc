#include "proxy/codec/http/head_writer.h"

#include "proxy/codec/http/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace agentsh::http {
namespace {

// Copies fields in runs, so that an untouched head is one append.
class FieldCopier {
 public:
  FieldCopier(const Head& head, const HeadEdits* edits, bool upgrade, bool new_framing,
              std::string& out)
      : head_(head), edits_(edits), upgrade_(upgrade), new_framing_(new_framing), out_(out) {}

  void run() {
    const std::span<const Field> fields = head_.fields();
    std::size_t run_begin = fields.empty() ? end_of_fields() : fields.front().name;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (keeps(fields[i])) continue;
      out_.append(head_.text().substr(run_begin, fields[i].name - run_begin));
      run_begin = i + 1 < fields.size() ? fields[i + 1].name : end_of_fields();
      replace(fields[i]);
    }
    out_.append(head_.text().substr(run_begin, end_of_fields() - run_begin));
    add_missing();
  }

 private:
  std::size_t end_of_fields() const { return head_.text().size() - 2; }

  bool is_hop_by_hop(const Field& field) const {
    switch (field.known) {
      case KnownField::kConnection:
      case KnownField::kKeepAlive:
      case KnownField::kProxy:
      case KnownField::kTe:
        return true;
      case KnownField::kUpgrade:
        return !upgrade_;
      default:
        return field.named_by_connection;
    }
  }

  bool keeps(const Field& field) const {
    if (is_hop_by_hop(field)) return false;
    if (new_framing_ && is_framing(field)) return false;
    return edits_ == nullptr ||
           (!is_removed(field) && set_value(field) == nullptr && own_value(field) == nullptr);
  }

  static bool is_framing(const Field& field) {
    return field.known == KnownField::kContentLength ||
           field.known == KnownField::kTransferEncoding || field.known == KnownField::kTrailer;
  }

  bool is_removed(const Field& field) const {
    return std::ranges::any_of(edits_->remove, [&](const std::string& name) {
      return equal_ignoring_case(name, head_.name(field));
    });
  }

  const std::pair<std::string, std::string>* set_value(const Field& field) const {
    const auto found = std::ranges::find_if(edits_->set, [&](const auto& entry) {
      return equal_ignoring_case(entry.first, head_.name(field));
    });
    return found == edits_->set.end() ? nullptr : &*found;
  }

  const std::string* own_value(const Field& field) const {
    const auto index = static_cast<std::size_t>(&field - head_.fields().data());
    const auto found = std::ranges::find_if(
        edits_->values, [index](const auto& entry) { return entry.first == index; });
    return found == edits_->values.end() ? nullptr : &found->second;
  }

  // Writes what stands in the place of a field that is not kept.
  void replace(const Field& field) {
    if (field.known == KnownField::kConnection && upgrade_ && !wrote_upgrade_) {
      wrote_upgrade_ = true;
      out_.append("Connection: Upgrade\r\n");
      return;
    }
    if (edits_ == nullptr || is_hop_by_hop(field) || is_removed(field)) return;
    if (new_framing_ && is_framing(field)) return;
    const auto* entry = set_value(field);
    if (entry == nullptr) {
      const std::string* value = own_value(field);
      if (value == nullptr) return;
      fmt::format_to(std::back_inserter(out_), "{}: {}\r\n", head_.name(field), *value);
      return;
    }
    if (head_.find(entry->first) != &field) return;
    fmt::format_to(std::back_inserter(out_), "{}: {}\r\n", head_.name(field), entry->second);
  }

  void add_missing() {
    if (edits_ == nullptr) return;
    for (const auto& [name, value] : edits_->set) {
      const Field* first = head_.find(name);
      if (first != nullptr && !is_hop_by_hop(*first)) continue;
      fmt::format_to(std::back_inserter(out_), "{}: {}\r\n", name, value);
    }
  }

  const Head& head_;
  const HeadEdits* edits_;
  const bool upgrade_;
  const bool new_framing_;
  bool wrote_upgrade_ = false;
  std::string& out_;
};

void write_framing(const std::optional<Framing>& framing, std::string& out) {
  if (!framing) return;
  if (framing->kind == BodyKind::kLength) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", framing->length);
  } else if (framing->kind == BodyKind::kChunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
}

}  // namespace

void write_request_head(const RequestHead& head, const RequestRewrite& rewrite, std::string& out) {
  const std::string_view target =
      rewrite.edits == nullptr ? std::string_view() : std::string_view(rewrite.edits->target);
  if (head.form() == TargetForm::kOrigin && rewrite.origin.empty() && target.empty()) {
    out.append(head.start_line());
  } else {
    const std::string_view path = target.empty() ? head.path() : target;
    out.append(head.method()).append(" ").append(rewrite.origin);
    if (rewrite.origin.empty() || path != "*") out.append(path);
    out.append(head.minor_version() == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  }
  FieldCopier(head, rewrite.edits, head.asks_for_websocket(), rewrite.framing.has_value(), out)
      .run();
  write_framing(rewrite.framing, out);
  if (!rewrite.proxy_authorization.empty()) {
    out.append("Proxy-Authorization: ").append(rewrite.proxy_authorization).append("\r\n");
  }
  if (rewrite.close && !head.asks_for_websocket()) out.append("Connection: close\r\n");
  out.append("\r\n");
}

void write_response_head(const ResponseHead& head, const ResponseRewrite& rewrite,
                         std::string& out) {
  out.append(head.start_line());
  FieldCopier(head, rewrite.edits, head.switches_protocols(), rewrite.framing.has_value(), out)
      .run();
  write_framing(rewrite.framing, out);
  if (rewrite.close) {
    out.append("Connection: close\r\n");
  } else if (rewrite.keep_alive) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

}  // namespace agentsh::http
