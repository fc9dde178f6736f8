// SPDX-License-Identifier: Apache-2.0
// How a program gets from a request that it reads to the requests that it makes for it. One model a process.
#pragma once

#include <cstdint>

#include "exporter/span.h"

namespace clew::correlation {

enum class ExecutionModel : uint8_t {
  kGeneric,    // nothing is known of the program. A thread that waits in a blocking read serves that request until it is answered; where no
               // thread waits, the only request under way is inferred
  kEventLoop,  // a proxy that acts in the same turn of its loop in which it has read something
};

/// By the name of the executable: of these programs it is known how they work.
ExecutionModel model_of(const exporter::Resource& resource);

}  // namespace clew::correlation
