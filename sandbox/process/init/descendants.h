// Everything that a session without a PID namespace has started: init is the child subreaper
// (PR_SET_CHILD_SUBREAPER), so whatever loses its parent becomes a child of ours.
#pragma once

namespace agentsh::sandbox {

// Kills all of it and waits until nothing is left, at most some seconds.
void end_descendants();

}  // namespace agentsh::sandbox
