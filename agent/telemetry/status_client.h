// SPDX-License-Identifier: Apache-2.0
// Asks the clews that run here. What they answer is bounded in size and time, and not believed to be well-formed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/telemetry/status.h"

namespace clew::telemetry {

/// Asks every socket in the directories, at most three seconds each. Sockets of clews that died are removed, not answered for.
std::vector<Answer> ask_clews(const std::vector<std::string>& directories);

/// Only who is there, without asking for a document.
std::vector<uint32_t> running_clews(const std::vector<std::string>& directories);

/// Removes the sockets on which nobody listens any more (a clew that was killed leaves one).
void remove_dead_sockets(const std::string& directory);

}  // namespace clew::telemetry
