// SPDX-License-Identifier: Apache-2.0
// OTEL_PROPAGATORS: which formats of trace context are read from requests.
#pragma once

#include <vector>

#include "agent/cli/environment.h"
#include "agent/commands/log.h"
#include "agent/correlation/propagation/propagator.h"

namespace clew::commands {

/// A value that cannot be understood is warned of, and the default taken.
std::vector<correlation::propagation::Propagator> read_propagators(const cli::EnvironmentLookup& environment, const Messages& messages);

}  // namespace clew::commands
