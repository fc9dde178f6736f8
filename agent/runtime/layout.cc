// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/layout.h"

#include <fmt/format.h>

#include "agent/runtime/cpython.h"
#include "agent/runtime/go.h"
#include "agent/runtime/haproxy.h"
#include "agent/runtime/jvm.h"
#include "agent/runtime/node.h"
#include "agent/runtime/tokio.h"

namespace clew::runtime {

Layout find_layout(const discovery::ProcFs& proc, uint32_t process_id) {
  const auto executable = discovery::inspect_executable(fmt::format("{}/{}/exe", proc.root, process_id));
  if (!executable) return {.description = executable.error().message};
  switch (executable->runtime) {
    case discovery::Executable::Runtime::kNode: return node_layout(proc, process_id);
    case discovery::Executable::Runtime::kJvm: return find_jvm(proc, process_id);
    case discovery::Executable::Runtime::kCpython: return find_cpython(proc, process_id);
    case discovery::Executable::Runtime::kGo: return go_layout(proc, process_id, executable->version);
    case discovery::Executable::Runtime::kHaproxy: return haproxy_layout(proc, process_id);
    case discovery::Executable::Runtime::kRust: return tokio_layout(proc, process_id);
    default: return {.description = {}};
  }
}

}  // namespace clew::runtime
