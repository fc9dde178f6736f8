// SPDX-License-Identifier: Apache-2.0
// Node.js: where the main thread's async ids lie, and where its stack shows the loop's phase. By shapes that Node 16 to 24 have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/proc_fs.h"
#include "agent/runtime/layout.h"

namespace clew::runtime {

/// An Environment's AsyncHooks (node, src/env.h) holds three aliased arrays in a row, each {isolate, length, 0, its data, …}: the stack of
/// ids, the counts of hooks, the four current ids. A worker thread has one of its own, with its own isolate.
struct AsyncHooks {
  uint64_t isolate = 0;
  uint64_t kinds = 0;       // address of the counts of hooks
  uint64_t immediates = 0;  // address of how many wait: the next array of three behind, ImmediateInfo
  uint64_t ticks = 0;       // address of whether any wait: the next array of two behind that, TickInfo; 0: not found
  uint64_t ids = 0;         // address of the four: executionAsyncId, triggerAsyncId, the counter, defaultTriggerAsyncId, as doubles
  bool operator==(const AsyncHooks&) const = default;
};

/// All that lie in a piece of memory. It needs no particular moment: the ids themselves are not looked at.
std::vector<AsyncHooks> async_hooks_in(std::span<const uint64_t> words);

/// The four are integers as the runtime keeps them: neither of the first two above the counter.
bool are_async_ids(std::span<const double, 4> ids);

/// Those of the main thread: that one whose isolate the oldest frames of its stack hold. None where the process has none
/// (yet). Reads at most 64 MiB of it, mostly below 10 MiB: some milliseconds.
base::Result<std::optional<AsyncHooks>> find_async_hooks(const discovery::ProcFs& proc, uint32_t process_id);

/// Where the main thread's stack shows in which phase its loop is.
struct PollFrame {
  uint64_t slot = 0;      // address of the return address of what uv_run calls: the same for the life of the process
  uint64_t loop = 0;      // uv_loop_t
  uint64_t function = 0;  // uv__io_poll: it has been called there while libuv hands on what it has polled; in other phases another has
};

/// In a thread that waits in epoll_pwait: the function that waits, by its direct call and by the room for libuv's 1,024 events in its
/// frame. None if the thread does not wait just now, or if its stack looks otherwise. x86-64.
base::Result<std::optional<PollFrame>> find_poll_frame(const discovery::ProcFs& proc, uint32_t process_id);

/// `values`: {address of the ids, slot, function, loop, address of the number of immediates, of ticks, of the counts of hooks}.
Layout node_layout(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
