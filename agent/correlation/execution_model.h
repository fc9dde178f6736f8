// SPDX-License-Identifier: Apache-2.0
// How a program gets from a request that it reads to the requests that it makes for it. One model a process.
#pragma once

#include <string_view>

#include "agent/correlation/execution/execution.h"
#include "exporter/span.h"

namespace clew::correlation {

/// By the name of the executable: of these programs it is known how they work.
ExecutionModel model_of(const exporter::Resource& resource);
ExecutionModel model_of(std::string_view executable_name);
/// For `clew explain`: the evidence, and what it rests on.
std::string_view describe(ExecutionModel model);
/// By the runtime whose executions the kernel side reads (enum clew_runtime).
ExecutionModel model_of(uint32_t runtime);

}  // namespace clew::correlation
