// SPDX-License-Identifier: Apache-2.0
// CPython 3.8 to 3.14: where the context of a thread is found (bpf/execution/cpython.bpf.h), proved by the process's own memory.
#pragma once

#include <cstdint>
#include <string>

#include "agent/runtime/layout.h"
#include "agent/runtime/process_image.h"

namespace clew::runtime {

/// What lies where in the process, by its symbols.
struct CpythonSymbols {
  uint32_t version = 0;       // PY_VERSION_HEX, or only the bytes of "3.11"
  uint64_t runtime = 0;       // _PyRuntime
  uint64_t context_type = 0;  // PyContext_Type
};

/// The layout without its probe. Nothing is taken on trust: the interpreter's list of threads must lead to a thread state that names its
/// thread, whose thread-specific data must hold that state, and whose context must be one.
Layout read_cpython(const ReadMemory& read, const CpythonSymbols& symbols);

/// 0x030b0000 of "…/python3.11" or "…/libpython3.11.so.1.0"; 0 of others.
uint32_t python_version_in(std::string_view path);

Layout find_cpython(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
