// `agentsh db classify`: what SQL text does, offline; `agentsh policy db explain POLICY`: what the
// database rules of a policy say about it, and why; `agentsh policy db connection POLICY`: may a
// client connect?
//
// Exit codes: 0 done (for explain: nothing is denied), 1 a statement is not understood or is
// denied, 2 the arguments are wrong. Results go to standard output, complaints to standard error.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace agentsh::cli {

// `args` are what follows `agentsh db`.
int run_db_verb(std::span<const std::string> args);

// `args` are what follows `agentsh policy db`; `directories` are where policies are looked up.
int run_policy_db_verb(std::span<const std::string> args, std::vector<std::string> directories);

}  // namespace agentsh::cli
