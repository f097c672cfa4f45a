#include "proxy/dns/answer.h"

#include "base/ip.h"
#include "proxy/dns/service_binding.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dns {
namespace {

constexpr std::size_t kMaxAliases = 16;
// RFC 9520 §3.2 wants failures cached, for at least a second.
constexpr std::uint32_t kFailureTtl = 1;

std::optional<RrType> covered_type(const Record& record) {
  const auto* opaque = std::get_if<OpaqueData>(&record.data);
  if (record.type != RrType::kRrsig || opaque == nullptr || opaque->bytes.size() < 2) return {};
  return static_cast<RrType>(static_cast<std::uint8_t>(opaque->bytes[0]) << 8 |
                             static_cast<std::uint8_t>(opaque->bytes[1]));
}

bool is_within(const Name& name, const Name& zone) {
  std::string_view rest = name.wire();
  for (;;) {
    auto suffix = Name::from_wire(rest);
    if (suffix && *suffix == zone) return true;
    if (rest.size() <= 1) return false;
    rest.remove_prefix(1u + static_cast<std::uint8_t>(rest.front()));
  }
}

class Distiller {
 public:
  Distiller(const Message& message, RrType type, bool dnssec, const AnswerOptions& options)
      : message_(message), type_(type), dnssec_(dnssec), options_(options) {}

  Result<Answer> run(const Name& asked) {
    answer_.rcode = message_.header.rcode;
    answer_.authenticated = message_.header.authentic_data;
    answer_.final_name = asked;
    while (const Record* alias = find_alias(answer_.final_name)) {
      if (++aliases_ > kMaxAliases) {
        return fail(fmt::format("{} has more than {} aliases, or they go in a circle",
                                asked.to_text(), kMaxAliases),
                    std::errc::bad_message);
      }
      take(*alias);
      take_signatures(alias->owner, RrType::kCname);
      answer_.final_name = std::get<NameData>(alias->data).target;
    }
    take_final_records();
    if (final_records_ > 0 && answer_.rcode != Rcode::kNoError) {
      return fail(fmt::format("{} with records of {}", to_string(answer_.rcode), asked.to_text()),
                  std::errc::bad_message);
    }
    if (final_records_ == 0) take_authority();
    settle_completeness();
    settle_ttl();
    return std::move(answer_);
  }

 private:
  const Record* find_alias(const Name& owner) const {
    if (type_ == RrType::kCname) return nullptr;
    for (const Record& record : message_.answers) {
      if (record.type == RrType::kCname && record.owner == owner) return &record;
    }
    return nullptr;
  }

  void take(Record record) {
    record.ttl = std::min(record.ttl, options_.max_ttl);
    answer_.records.push_back(std::move(record));
  }

  void take_signatures(const Name& owner, RrType covered) {
    if (!dnssec_) return;
    for (const Record& record : message_.answers) {
      if (covered_type(record) == covered && record.owner == owner && may_copy(record)) {
        take(record);
      }
    }
  }

  void take_final_records() {
    bool changed = false;
    for (const Record& record : message_.answers) {
      if (record.type != type_ || !(record.owner == answer_.final_name)) continue;
      if (answer_.records.size() >= options_.max_records) {
        changed = true;
        break;
      }
      changed |= !take_final(record);
    }
    // A signature over what was changed would only fail to verify.
    if (!changed) take_signatures(answer_.final_name, type_);
    if (changed) answer_.authenticated = false;
  }

  // False when the record was changed or left out.
  bool take_final(const Record& record) {
    ++final_records_;
    ttl_bound_ = std::min(ttl_bound_, record.ttl);  // Also of what is left out.
    if (!may_copy(record)) return false;
    if (const auto* binding = std::get_if<SvcbData>(&record.data)) {
      auto kept = restrict_service_binding(*binding, record.owner, options_.alpn);
      if (!kept) return false;
      const bool same = *kept == *binding;
      take({record.owner, record.type, record.ttl, std::move(*kept)});
      return same;
    }
    if (const IpAddress* address = record.address()) {
      if (classify(*address) != AddressClass::kPublic) answer_.all_public = false;
    }
    take(record);
    return true;
  }

  void take_authority() {
    for (const Record& record : message_.authorities) {
      const bool soa = record.type == RrType::kSoa && !negative_ttl_ &&
                       is_within(answer_.final_name, record.owner);
      const bool proof = dnssec_ && (record.type == RrType::kNsec ||
                                     record.type == RrType::kNsec3 || covered_type(record));
      if ((!soa && !proof) || !may_copy(record)) continue;
      if (answer_.authority.size() >= options_.max_records) return;
      if (soa) {
        negative_ttl_ = std::min(
            {record.ttl, std::get<SoaData>(record.data).minimum, options_.max_negative_ttl});
      }
      answer_.authority.push_back(record);
    }
  }

  void settle_completeness() {
    answer_.complete =
        aliases_ == 0 || final_records_ > 0 || negative_ttl_ || answer_.rcode != Rcode::kNoError;
  }

  void settle_ttl() {
    std::uint32_t ttl = std::min(options_.max_ttl, ttl_bound_);
    for (const Record& record : answer_.records) ttl = std::min(ttl, record.ttl);
    // RFC 2308 §5: a negative answer without SOA is not to be cached.
    if (final_records_ == 0 && answer_.complete) ttl = std::min(ttl, negative_ttl_.value_or(0));
    for (Record& record : answer_.authority) record.ttl = std::min(record.ttl, ttl);
    answer_.ttl = ttl;
  }

  const Message& message_;
  RrType type_;
  bool dnssec_;
  const AnswerOptions& options_;
  Answer answer_;
  std::size_t aliases_ = 0;
  std::size_t final_records_ = 0;
  std::uint32_t ttl_bound_ = 0x7fffffff;
  std::optional<std::uint32_t> negative_ttl_;
};

}  // namespace

std::size_t Answer::memory() const {
  std::size_t size = sizeof(Answer) + final_name.wire().size() + server.size() + failure.size();
  for (const Record& record : records) size += record.memory();
  for (const Record& record : authority) size += record.memory();
  return size;
}

std::uint32_t Answer::remaining(std::uint32_t record_ttl, TimePoint now) const {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - received).count();
  return age <= 0 ? record_ttl
                  : static_cast<std::uint32_t>(std::max<std::int64_t>(0, record_ttl - age));
}

Result<Answer> distil(const Message& message, const Name& asked, RrType type, bool dnssec,
                      const AnswerOptions& options) {
  return Distiller(message, type, dnssec, options).run(asked);
}

Answer failed_answer(ErrorInfo info, std::string reason) {
  Answer answer;
  answer.failure = std::move(reason);
  answer.failure_info = info;
  answer.ttl = kFailureTtl;
  return answer;
}

}  // namespace agentsh::dns
