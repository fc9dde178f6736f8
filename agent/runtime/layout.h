// SPDX-License-Identifier: Apache-2.0
// Where a process's runtime keeps what names its executions, so that the kernel side can read it (bpf/execution).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "agent/base/result.h"
#include "agent/discovery/proc_fs.h"
#include "agent/discovery/runtime.h"

namespace clew::runtime {

struct Layout {
  uint32_t runtime = 0;              // enum clew_runtime; 0: its executions are not read
  std::array<uint64_t, 8> values{};  // struct clew_runtime_layout, by the runtime's own file there
  std::string description;           // for `clew explain`: "go1.24.4, goroutines at offset 160"; or why there is none
  bool later = false;                // none yet: the program has not come that far. Ask again
};

/// What can be read of the process. Never a guess: what is not certain is left out, and `description` says why.
/// May read a few MiB of files and of the process's memory: call once for each program.
Layout find_layout(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
