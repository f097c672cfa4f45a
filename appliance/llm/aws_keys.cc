#include "appliance/llm/aws_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace agentsh {
namespace {

using Value = std::shared_ptr<const SecretText>;

// What may stand in a header field.
bool is_key(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

class ConfiguredKeys final : public llm::AwsKeys,
                             public std::enable_shared_from_this<ConfiguredKeys> {
 public:
  ConfiguredKeys(config::AwsKeySection section, std::shared_ptr<services::SecretSource> secrets)
      : section_(std::move(section)), secrets_(std::move(secrets)) {}

  void get(Callback done) override {
    fetch(section_.access_key_id, &llm::AwsCredentials::access_key_id, {}, std::move(done));
  }

 private:
  using Member = std::string llm::AwsCredentials::*;

  // One after the other: each is there already but for the first time and after its lease.
  void fetch(const std::string& reference, Member member, llm::AwsCredentials keys, Callback done) {
    secrets_->get(reference, {},
                  [self = shared_from_this(), reference, member, keys = std::move(keys),
                   done = std::move(done)](Result<Value> value) mutable {
                    if (!value) return done(std::unexpected(value.error()));
                    if (!is_key((*value)->view())) {
                      return done(fail(fmt::format("{}: there is no usable key", reference)));
                    }
                    keys.*member = (*value)->view();
                    self->go_on(member, std::move(keys), std::move(done));
                  });
  }

  void go_on(Member had, llm::AwsCredentials keys, Callback done) {
    if (had == &llm::AwsCredentials::access_key_id) {
      fetch(section_.secret_access_key, &llm::AwsCredentials::secret_access_key, std::move(keys),
            std::move(done));
    } else if (had == &llm::AwsCredentials::secret_access_key && !section_.session_token.empty()) {
      fetch(section_.session_token, &llm::AwsCredentials::session_token, std::move(keys),
            std::move(done));
    } else {
      done(std::move(keys));
    }
  }

  const config::AwsKeySection section_;
  const std::shared_ptr<services::SecretSource> secrets_;
};

}  // namespace

std::shared_ptr<llm::AwsKeys> make_aws_keys(const config::AwsKeySection& section,
                                            std::shared_ptr<services::SecretSource> secrets) {
  if (section.access_key_id.empty()) return nullptr;
  return std::make_shared<ConfiguredKeys>(section, std::move(secrets));
}

}  // namespace agentsh
