// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/propagators.h"

#include <fmt/format.h>

#include "agent/cli/edit_distance.h"

namespace clew::commands {

std::vector<correlation::propagation::Propagator> read_propagators(const cli::EnvironmentLookup& environment, const Messages& messages) {
  namespace propagation = correlation::propagation;
  const char* const value = environment ? environment("OTEL_PROPAGATORS") : nullptr;
  auto choice = propagation::parse_propagators(value == nullptr ? "" : value, cli::nearest);
  if (!choice) {
    messages.warn(fmt::format("OTEL_PROPAGATORS ignored: {}", choice.error().message));
    choice = propagation::parse_propagators("", cli::nearest);
  }
  for (const std::string_view name : choice->unread)
    messages.warn(fmt::format("OTEL_PROPAGATORS: {} cannot be read and is passed over", name));
  return std::move(choice->order);
}

}  // namespace clew::commands
