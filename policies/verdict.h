// The answer to facts. It has no default constructor and no implicit conversion: code that forgets
// to decide does not compile, and every error on a decision path has to name a denial.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

enum class Decision { kAllow, kDeny, kApprove, kRedirect, kAudit, kSoftDelete, kAbsorb };
std::string_view to_string(Decision decision);

// Names of the decisions that no rule of a policy made.
inline constexpr std::string_view kDefaultDenyNetwork = "default-deny-network";
inline constexpr std::string_view kDefaultDenyCommands = "default-deny-commands";
inline constexpr std::string_view kDefaultDenyFiles = "default-deny-files";
inline constexpr std::string_view kDefaultAllowReads = "default-allow-reads";
inline constexpr std::string_view kDefaultDenyUnix = "default-deny-unix";
inline constexpr std::string_view kDefaultDenySignals = "default-deny-signals";
// A command inside a wrapper (env, sudo, sh -c ...) that cannot be read, or is wrapped too deep.
inline constexpr std::string_view kWrapperUnreadable = "wrapper-unreadable";
inline constexpr std::string_view kWrapperTooDeep = "wrapper-too-deep";

// What to do when the target of a redirect cannot be reached.
enum class RedirectFailure { kFailClosed, kFailOpen, kRetryOriginal };

// Where a redirected operation goes. Which members are set depends on the kind of rule.
struct Redirect {
  std::string target;  // host:port, Unix socket path, IP address, directory, program or signal.
  std::vector<std::string> arguments;  // Prepended.
  std::vector<std::string> arguments_append;
  std::vector<std::pair<std::string, std::string>> environment;
  bool preserve_tree = false;              // File rules.
  std::optional<std::string> rewrite_sni;  // connect_redirects with tls.mode rewrite_sni.
  bool unix_socket = false;                // `target` is a path (redirect_to_unix).
  bool audit_only = false;  // visibility: audit_only. The event says it; the client is not told.
  bool warn = false;        // visibility: warn. The client is told as far as its protocol can.
  RedirectFailure on_failure = RedirectFailure::kFailClosed;
};

class Verdict {
 public:
  static Verdict allow(std::string_view rule) {
    return Verdict(Decision::kAllow, Decision::kAllow, rule, {});
  }
  static Verdict deny(std::string_view rule, std::string_view message) {
    return Verdict(Decision::kDeny, Decision::kDeny, rule, message);
  }
  // What a rule says. Its effect starts as the decision itself; the gate settles approvals.
  static Verdict from_rule(Decision decision, std::string_view rule, std::string_view message) {
    return Verdict(decision, decision, rule, message);
  }

  // What the rule says, and what happens. They differ where an approval was asked for and answered.
  Decision decision() const { return decision_; }
  Decision effective() const { return effective_; }
  // May the operation go on as it is or as its redirect says? False for deny, absorb and an
  // approval that is still open.
  bool permitted() const {
    return effective_ == Decision::kAllow || effective_ == Decision::kAudit ||
           effective_ == Decision::kRedirect || effective_ == Decision::kSoftDelete;
  }
  bool needs_approval() const { return effective_ == Decision::kApprove; }

  const std::string& rule() const { return rule_; }
  const std::string& message() const { return message_; }
  const std::shared_ptr<const Redirect>& redirect() const { return redirect_; }
  const std::string& approval_id() const { return approval_id_; }
  std::optional<std::chrono::nanoseconds> approval_timeout() const { return approval_timeout_; }
  // The rule says `tls: passthrough`: TLS of this connection is relayed unopened, once its SNI has
  // been checked.
  bool tls_passthrough() const { return tls_passthrough_; }

  Verdict with_redirect(std::shared_ptr<const Redirect> redirect) && {
    redirect_ = std::move(redirect);
    return std::move(*this);
  }
  Verdict with_approval_timeout(std::optional<std::chrono::nanoseconds> timeout) && {
    approval_timeout_ = timeout;
    return std::move(*this);
  }
  Verdict with_tls_passthrough(bool passthrough) && {
    tls_passthrough_ = passthrough;
    return std::move(*this);
  }
  // The same verdict after the approval `id` was answered.
  Verdict settled(bool approved, std::string_view id, std::string_view reason) &&;

 private:
  Verdict(Decision decision, Decision effective, std::string_view rule, std::string_view message)
      : decision_(decision), effective_(effective), rule_(rule), message_(message) {}

  Decision decision_;
  Decision effective_;
  std::string rule_;
  std::string message_;
  std::string approval_id_;
  bool tls_passthrough_ = false;
  std::optional<std::chrono::nanoseconds> approval_timeout_;
  std::shared_ptr<const Redirect> redirect_;
};

}  // namespace agentsh::policy
