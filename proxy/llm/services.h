// What an exchange with an LLM needs of others. One object per session (or gateway key), shared by
// its connections; everything in it is safe to use from any thread.
#pragma once

#include "dlp/profile.h"
#include "dlp/vault.h"
#include "proxy/llm/dialect.h"
#include "proxy/llm/facts.h"
#include "proxy/llm/prices.h"
#include "proxy/llm/record.h"
#include "proxy/llm/refusal.h"
#include "proxy/llm/resigner.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

// Takes the record of each exchange once. Must not block.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void take(const Record& record) = 0;
};

// Money and tokens that may be spent. Must not block.
class Budget {
 public:
  virtual ~Budget() = default;
  // Asked when the whole request is known, before its last byte is forwarded. Every call that
  // refuses nothing is followed by one settle(), in whatever way the exchange ends. `request_id` is
  // the id of the record that settle() will get: many exchanges of a session run at once.
  virtual std::optional<Refusal> reserve(std::string_view request_id, const Target& target,
                                         const RequestFacts& request) = 0;
  virtual void settle(const Record& record) = 0;
};

struct LlmServices {
  std::string session_id;
  std::string key_id;
  // Null: nothing is looked for in requests, or in answers. What a detector tokenizes in an answer
  // the agent sees as a placeholder.
  std::shared_ptr<const dlp::Profile> request_profile;
  std::shared_ptr<const dlp::Profile> answer_profile;
  // Null: nothing is tokenized or restored.
  std::shared_ptr<dlp::Vault> vault;
  // Null: the shipped table.
  std::shared_ptr<const PriceTable> prices;
  std::shared_ptr<RecordSink> sink;  // May be null.
  std::shared_ptr<Budget> budget;    // May be null.
  // What requests to Bedrock are signed with. Null: they keep their signatures, so they may be
  // looked at and refused, but not changed.
  std::shared_ptr<AwsKeys> aws;
  // Servers by base URL, asked before the well-known hosts.
  std::vector<Server> servers;
  // The largest request body that is read; a larger one is refused.
  std::uint64_t max_request_bytes = 256 << 20;
  bool hash_bodies = true;  // SHA-256 of what went over the wire, in the record.

  // Nothing may come from an API unseen.
  bool must_see_answers() const {
    return answer_profile != nullptr && answer_profile->looks_for_anything();
  }
  // Nothing may go to an API unseen: texts are looked through, or tokens are paid for.
  bool must_see_requests() const {
    return (request_profile != nullptr && request_profile->looks_for_anything()) ||
           budget != nullptr;
  }
};

}  // namespace agentsh::llm
