// Descriptors 0, 1 and 2 exist from here on. Where a caller closed one (`agentsh exec SID -- cat
// <&-`), the next thing opened would take its number: the connection to the server, say, and go to
// the command as its standard input.
#pragma once

namespace agentsh {

// First thing in main().
void occupy_standard_streams();

}  // namespace agentsh
