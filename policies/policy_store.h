// Finds policies by name and keeps them compiled: one CompiledPolicy for each (content of the file,
// values of the variables that it uses), shared by all sessions that ask for it.
//
//   PolicyStore store({.directories = {user_dir, "/etc/agentsh/policies", kShippedPacks}});
//   auto policy = store.get("default", variables);
//   ...
//   store.reload("default")   // the file has changed: sessions then ask get() again
//
// A file is read when its name is first asked for and at reload(), never in between, so a session
// does not change under its owner by accident. When the new text is bad, reload() returns the
// errors and the old text stays in force. Watching files is the owner's.
//
// Threads: any. Compiling one policy does not hold up users of another that is there already.
// Errors: no_such_file_or_directory for an unknown name (with what there is); every problem of the
// text by place; what signing demands.
#pragma once

#include "base/result.h"
#include "policies/compiled_policy.h"
#include "policies/signing.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

struct PolicyStoreOptions {
  // Searched in this order; a policy of the same name in an earlier one hides the later.
  std::vector<std::string> directories;
  // Files must belong to root (or the process's own user) and be writable by nobody else.
  bool require_trusted_owner = false;
  SigningMode signing = SigningMode::kOff;
  std::string trust_store;
};

struct PolicyListing {
  std::string name;
  std::string path;
  std::string description;  // First line. Empty when the file does not load.
  std::string error;        // Why it does not load; empty when it does.
};

class PolicyStore {
 public:
  using Compiled = std::shared_ptr<const CompiledPolicy>;

  explicit PolicyStore(PolicyStoreOptions options) : options_(std::move(options)) {}

  // The policy of that name (letters, digits, "_" and "-") with its variables' values.
  Result<Compiled> get(std::string_view name, const Variables& variables);

  // Reads the file again. True when its text has changed: sessions that use it should get() anew.
  // On errors the text that was loaded before stays.
  Result<bool> reload(std::string_view name);
  // Every name that has been loaded, with the outcome of its reload.
  std::vector<std::pair<std::string, Result<bool>>> reload_all();

  // Where `name` would be read from.
  Result<std::string> find(std::string_view name) const;
  // What there is, by name; hidden ones left out.
  std::vector<PolicyListing> list() const;

  // Warnings of the text of `name` as it is loaded now (unsigned under SigningMode::kWarn, a second
  // document ...); empty for a name that is not.
  std::vector<Diagnostic> warnings(std::string_view name) const;

  const PolicyStoreOptions& options() const { return options_; }

 private:
  // One text of one file.
  struct Source {
    std::string path;
    std::string text;
    Policy policy;
    std::vector<std::string> variables;  // Names that it uses, sorted.
    std::vector<Diagnostic> warnings;
    std::mutex compiling;                                   // Guards `compiled`.
    std::map<std::vector<std::string>, Compiled> compiled;  // By values; "-" in front of unset.
  };
  static constexpr std::size_t kMaximumCompiled = 64;  // Of one text.

  Result<std::shared_ptr<Source>> load(std::string_view name) const;
  Result<> check_signature(const std::string& path, std::string_view text,
                           std::vector<Diagnostic>& warnings) const;
  static Result<Compiled> compile(Source& source, const Variables& variables);

  const PolicyStoreOptions options_;
  mutable std::mutex mutex_;  // Guards `sources_`.
  std::map<std::string, std::shared_ptr<Source>, std::less<>> sources_;
};

}  // namespace agentsh::policy
