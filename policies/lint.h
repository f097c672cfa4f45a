// Finds what a policy probably does not mean: rules that can never match, that earlier ones hide,
// that say less or more than they seem to. It judges the text alone, without a session: variables
// stand for unknown, different paths.
//
// Every finding has the name of its check (in brackets in the text form):
//   never-matches         no input can match the rule, or one of its patterns
//   shadowed-rule         an earlier rule (of databases: a denial anywhere) decides everything that
//                         this one could
//   duplicate-name        two rules of one section share a name, so events cannot tell them apart
//   lone-star             `*` in domains: any host, unnamed addresses included (a note)
//   domain-bypass         a denial by name that another rule lets an address literal around
//   metadata-reachable    an allow with cidrs covers cloud metadata or link-local addresses
//   dns-wide-open         a rule makes every name resolvable, so questions can carry data out
//   redirect-nowhere      decision redirect without an entry that says where to
//   loose-expression      an unanchored or unescaped regular expression in a redirect
//   matches-anything      args_patterns that are found in any arguments
//   directory-left-open   a denial of DIR/** that leaves DIR itself to be listed or renamed
//   unknown-placeholder   {{.Name}} in a message that the operation does not have
//
// Threads: pure functions. Errors: none; a policy that does not load has no lint.
#pragma once

#include "policies/diagnostic.h"
#include "policies/model.h"

#include <vector>

namespace agentsh::policy {

// Warnings and notes in the order of the file.
std::vector<Diagnostic> lint(const Policy& policy);

// Is there anything but notes?
bool has_warnings(const std::vector<Diagnostic>& findings);

}  // namespace agentsh::policy
