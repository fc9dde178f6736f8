// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/layout.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "agent/runtime/cpython.h"
#include "agent/runtime/go.h"
#include "agent/runtime/haproxy.h"
#include "agent/runtime/jvm.h"
#include "agent/runtime/node.h"
#include "agent/runtime/tokio.h"
#include "bpf/events.h"

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
    default: break;
  }
  // Only the kernel's own data are read, so any version will do.
  std::error_code error;
  const auto program = std::filesystem::read_symlink(fmt::format("{}/{}/exe", proc.root, process_id), error);
  std::string name = program.filename().string();
  if (name.ends_with(" (deleted)")) name.resize(name.size() - 10);
  if (name == "nginx") return {.runtime = CLEW_RUNTIME_LOOP, .description = "nginx: by the turns of its loop"};
  return {.description = {}};
}

}  // namespace clew::runtime
