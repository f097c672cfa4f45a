#include "proxy/dns/reply_memo.h"

#include "proxy/dns/wire_cursor.h"

#include <algorithm>

namespace agentsh::dns {
namespace {

constexpr std::size_t kIdBytes = 2;

// A question without its id.
std::string_view key_of(Bytes question) {
  return as_text(question.subspan(kIdBytes));
}

void skip_name(WireCursor& in) {
  for (std::uint8_t length = in.u8(); length != 0 && in.ok(); length = in.u8()) {
    if (length >= 0xc0) {
      in.u8();
      return;
    }
    in.text(length);
  }
}

// Where the TTLs of a message of our own stand, but that of OPT, which is none.
std::vector<std::uint16_t> ttl_offsets(Bytes reply) {
  WireCursor in(reply, 0, reply.size());
  in.text(4);
  const std::uint16_t questions = in.u16();
  const unsigned records = unsigned{in.u16()} + in.u16() + in.u16();
  for (unsigned i = 0; i < questions; ++i) {
    skip_name(in);
    in.u32();
  }
  std::vector<std::uint16_t> offsets;
  for (unsigned i = 0; i < records && in.ok(); ++i) {
    skip_name(in);
    const auto type = static_cast<RrType>(in.u16());
    in.u16();
    if (type != RrType::kOpt) offsets.push_back(static_cast<std::uint16_t>(in.position()));
    in.u32();
    in.text(in.u16());
  }
  return offsets;
}

std::uint32_t load(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
         static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

void store(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

const Lookup* ReplyMemo::answer(Session& session, Engine& engine, Bytes question, TimePoint now,
                                std::vector<std::uint8_t>& out) {
  if (question.size() < kHeaderBytes || question.size() > kMaxQuestionBytes) return nullptr;
  const auto found = entries_.find(key_of(question));
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  const auto age = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now - entry.made).count());
  const bool stands = age < entry.ttl && entry.policy == session.policy().version() &&
                      entry.hosts == engine.hosts(now);
  if (!stands || !session.leases().renew(entry.leases, std::chrono::seconds(entry.ttl - age))) {
    entries_.erase(found);
    return nullptr;
  }
  out.assign(entry.reply.begin(), entry.reply.end());
  std::copy_n(question.begin(), kIdBytes, out.begin());
  if (age > 0) {
    for (std::uint16_t at : entry.ttls) store(out.data() + at, load(out.data() + at) - age);
  }
  return entry.lookup.get();
}

bool ReplyMemo::may_remember(const Lookup& lookup, Bytes question) {
  const Outcome& outcome = lookup.outcome();
  return outcome.source == AnswerSource::kCache && outcome.removed.empty() && !outcome.error &&
         outcome.verdict.permitted() && outcome.verdict.decision() != policy::Decision::kApprove &&
         outcome.verdict.decision() != policy::Decision::kRedirect &&
         question.size() <= kMaxQuestionBytes;
}

void ReplyMemo::remember(Bytes question, Bytes reply, std::unique_ptr<const Lookup> lookup,
                         Engine& engine, TimePoint now) {
  const Session& session = lookup->session();
  Entry entry{
      nullptr,   {reply.begin(), reply.end()}, ttl_offsets(reply), {}, nullptr, nullptr, now,
      0xffffffff};
  entry.policy = session.policy().version();
  entry.hosts = engine.hosts(now);
  if (!entry.policy) return;
  for (std::uint16_t at : entry.ttls) entry.ttl = std::min(entry.ttl, load(reply.data() + at));
  // An answer without records says nothing about how long it holds.
  if (entry.ttls.empty() || entry.ttl == 0) return;
  for (const IpAddress& address : lookup->outcome().addresses) {
    for (const std::string& owner : lookup->owners()) {
      if (auto handle = session.leases().handle(owner, address)) {
        entry.leases.push_back(std::move(handle));
      }
    }
  }
  entry.lookup = std::move(lookup);
  if (entries_.size() >= kMaxEntries) entries_.clear();
  entries_.insert_or_assign(std::string(key_of(question)), std::move(entry));
}

}  // namespace agentsh::dns
