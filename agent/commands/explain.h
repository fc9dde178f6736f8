// SPDX-License-Identifier: Apache-2.0
// `clew explain`: why does this process give (no) spans.
#pragma once

#include "agent/cli/options.h"
#include "agent/commands/log.h"

namespace clew::commands {

/// Returns the exit status of the program.
int explain(const cli::ExplainOptions& options, const cli::EnvironmentLookup& environment, const Messages& messages);

}  // namespace clew::commands
