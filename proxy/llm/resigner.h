// Signing a request anew for AWS whose body is changed on the way, or whose client has no
// credentials of its own: what the client signed is signed again, with keys that only we have.
//
// Threads: AwsKeys any; a Resigner has one owner.
#pragma once

#include "base/result.h"
#include "proxy/llm/sigv4.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::llm {

// Where the keys come from.
class AwsKeys {
 public:
  using Callback = std::function<void(Result<AwsCredentials>)>;
  virtual ~AwsKeys() = default;
  // `done` is called once, from any thread, possibly before this returns. Does not block. An
  // error's text holds no secret.
  virtual void get(Callback done) = 0;
};

class Resigner {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // `fields` are those of the request, its Authorization ("AWS4-HMAC-SHA256 Credential=...") among
  // them. Nothing when that does not tell region and service.
  static std::optional<Resigner> of(std::string_view method, std::string_view path,
                                    const Fields& fields);

  // The header fields that go with this content, instead of the client's. A security token of the
  // client goes with nothing that is signed here.
  Fields sign(std::string_view content, const AwsCredentials& keys,
              std::chrono::sys_seconds now) const;

 private:
  std::string method_;
  std::string path_;
  std::string region_;
  std::string service_;
  Fields fields_;
  bool sends_hash_ = false;
};

}  // namespace agentsh::llm
