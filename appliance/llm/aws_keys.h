// The keys for AWS that the configuration refers to, as the LLM inspectors ask for them. Each
// request asks anew: the source keeps values for as long as they last.
//
// Threads: any.
#pragma once

#include "appliance/config/config.h"
#include "proxy/llm/resigner.h"
#include "proxy/services/secret_source.h"

#include <memory>

namespace agentsh {

// Null when the section names no keys.
std::shared_ptr<llm::AwsKeys> make_aws_keys(const config::AwsKeySection& section,
                                            std::shared_ptr<services::SecretSource> secrets);

}  // namespace agentsh
