// The key that all leaf certificates of one authority share.
#pragma once

#include "certs/openssl_handles.h"

namespace agentsh::certs {

// A fresh P-256 key. Only .cc files include this.
Result<PkeyPtr> make_leaf_key();

}  // namespace agentsh::certs
