// SPDX-License-Identifier: Apache-2.0
// Which of the programs that see a socket's calls this kernel is given, by what it has and how it runs them.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/base/result.h"

struct bpf_program;
struct clew_bpf;

namespace clew::capture {

enum class Backend : uint8_t { kSocketTracepoints, kSysExit };
std::string_view name_of(Backend backend);

/// One of the small programs of bpf/socket/tries.bpf.h.
bool is_try(const bpf_program* program);

class SocketPrograms {
 public:
  /// Before the skeleton is loaded. `force_sys_exit`: the fallback even where the socket tracepoints are there.
  void choose(clew_bpf& skeleton, bool force_sys_exit);
  /// Once it is loaded.
  base::Result<void> join(clew_bpf& skeleton) const;
  /// It is not to be attached itself.
  bool is_called_by_another(const clew_bpf& skeleton, const bpf_program* program) const;
  Backend backend() const { return backend_; }

 private:
  Backend backend_ = Backend::kSocketTracepoints;
  bool tries_ = false;  // the programs of the tracepoints are run by others
};

}  // namespace clew::capture
