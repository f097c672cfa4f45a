// References to secrets, as policies and configurations write them:
//
//   env:NAME                      a variable of the daemon's own environment
//   file:/path                    a file's content, without a line break at its end
//   exec:/program arg ...         what a program writes, without a line break at its end
//   vault://mount/path#field      a field of a secret in HashiCorp Vault's KV engine (v1 and v2)
//
// env:, file: and exec: may be written with "//" behind the colon, and may name a member of a JSON
// document by "#field" at the end. Pure; any thread.
#pragma once

#include "base/result.h"
#include "policies/model.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::secrets {

struct Reference {
  std::string scheme;
  std::string location;  // Without scheme and field.
  std::string field;     // May be empty, but for vault.
};

Result<Reference> parse_reference(std::string_view text);

// The files of this host that a policy's references name, those of its providers' and
// databases' credentials included: what no session may see. References that do not parse are left
// out.
std::vector<std::string> files_of(const policy::Policy& policy);
// The variables of the daemon's environment that they name: what no command may get.
std::vector<std::string> variables_of(const policy::Policy& policy);

// What a source gave, as the reference means it: its field of the JSON document, or all of it
// without a line break at its end. Errors: no such field, no text, a character that no header can
// carry.
Result<std::string> select_value(const Reference& reference, std::string content);

}  // namespace agentsh::secrets
