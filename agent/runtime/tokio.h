// SPDX-License-Identifier: Apache-2.0
// tokio in a Rust program that has its symbols: where the current task's id lies, how wakers of tasks are known, where tasks are spawned.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "agent/discovery/proc_fs.h"
#include "agent/runtime/layout.h"

namespace clew::runtime {

/// What a symbol is to us, whichever way its name is mangled: by the path, which both ways spell the same.
enum class TokioSymbol : uint8_t {
  kNone,
  kContext,   // thread-local: runtime::context::CONTEXT
  kWaker,     // the table of functions of tasks' wakers
  kEnter,     // TaskIdGuard::enter, which sets the current task's id
  kBind,      // OwnedTasks::bind_inner, which spawned tasks go through, unless it has been inlined …
  kSchedule,  // … schedule_option_task_without_yield, which those of a runtime with several threads always do, …
  kBlocking,  // … and Spawner::spawn_task, which spawn_blocking's do; all have the task's header in RSI
};
TokioSymbol tokio_symbol(std::string_view name, bool thread_local_data);

/// Where in CONTEXT the current task's id lies.
struct TokioTaskId {
  uint32_t id = 0;
  std::optional<uint32_t> tag;  // of a word that is 1 if there is one; before tokio 1.43 or so
  bool operator==(const TokioTaskId&) const = default;
};
/// By the code of TaskIdGuard::enter, which exchanges it. None unless it does so in one place. x86-64.
std::optional<TokioTaskId> tokio_task_id_at(std::span<const uint8_t> code);

/// Where in a function a probe sees its arguments, and the kernel can emulate the instruction: else it costs twenty times as much. x86-64.
std::optional<size_t> tokio_probe_at(std::span<const uint8_t> code);

/// From the thread pointer to a thread-local variable of the executable, with its TLS segment (x86-64, variant II).
uint64_t tls_offset(uint64_t value, uint64_t segment_bytes, uint64_t segment_align);

/// `values`: offset of the current task's id from the thread pointer, address of the wakers' table, and last that of the id's tag, 0: none.
Layout tokio_layout(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
