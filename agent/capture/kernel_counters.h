// SPDX-License-Identifier: Apache-2.0
// What the kernel side counts: losses, figures, requests left alone, run time of each program.
#pragma once

#include "agent/base/counters.h"

struct clew_bpf;

namespace clew::capture {

/// Adds up all CPUs' work spaces. `injecting`: those of injection, too.
void copy_counters(clew_bpf& skeleton, bool injecting, base::Counters& counters);

}  // namespace clew::capture
