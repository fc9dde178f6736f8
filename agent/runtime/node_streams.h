// SPDX-License-Identifier: Apache-2.0
// Node.js: where it hands on frames of HTTP/2, and gives messages to nghttp2.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/discovery/proc_fs.h"
#include "agent/runtime/layout.h"

namespace clew::runtime {

/// For bpf/execution/node_streams.bpf.c: in the executable, or in the libraries that distributions make of parts of it. All that are
/// needed, or none: with a part of them, what is not seen would be taken for another's. x86-64.
std::vector<Probe> node_stream_probes(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
