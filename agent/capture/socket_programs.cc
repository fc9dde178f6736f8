// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/socket_programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

// clang-format off: the skeleton needs the types of events.h
#include "bpf/events.h"
#include "bpf/clew.skel.h"
// clang-format on

namespace clew::capture {
namespace {

constexpr uint32_t kConnectionsByAddress = 16384;  // sys_exit backend only; 5 MB

bool has_tracepoint(const char* name) {
  btf* kernel = btf__load_vmlinux_btf();
  if (kernel == nullptr) return false;
  const bool found = btf__find_by_name_kind(kernel, fmt::format("btf_trace_{}", name).c_str(), BTF_KIND_TYPEDEF) > 0;
  btf__free(kernel);
  return found;
}

// Since 7.0 tracepoints run under SRCU. Nothing in the kernel's types tells it.
bool tracepoints_can_be_preempted() {
  utsname name{};
  return uname(&name) == 0 && std::atoi(name.release) >= 7;
}

bool set_program(const bpf_map* map, const bpf_program* program) {
  const uint32_t zero = 0;
  const int fd = bpf_program__fd(program);
  return bpf_map_update_elem(bpf_map__fd(map), &zero, &fd, BPF_ANY) == 0;
}

}  // namespace

std::string_view name_of(Backend backend) { return backend == Backend::kSysExit ? "sys_exit" : "socket tracepoints"; }

bool is_try(const bpf_program* program) { return std::string_view(bpf_program__name(program)).contains("_try_"); }

void SocketPrograms::choose(clew_bpf& skeleton, bool force_sys_exit) {
  const bool tracepoints = !force_sys_exit && has_tracepoint("sock_send_length");
  backend_ = tracepoints ? Backend::kSocketTracepoints : Backend::kSysExit;
  tries_ = tracepoints && tracepoints_can_be_preempted();
  bpf_program__set_autoload(skeleton.progs.tp_btf__sock_send_length, tracepoints);
  bpf_program__set_autoload(skeleton.progs.tp_btf__sock_recv_length, tracepoints);
  bpf_program__set_autoload(skeleton.progs.tp_btf__sys_exit, !tracepoints);
  skeleton.rodata->by_address = !tracepoints;
  if (!tracepoints) bpf_map__set_max_entries(skeleton.maps.connections_by_address, kConnectionsByAddress);
  skeleton.rodata->preemptible = tries_;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    if (is_try(program)) bpf_program__set_autoload(program, tries_);
  }
  if (tries_) return;
  bpf_map__set_max_entries(skeleton.maps.scratch, bpf_map__max_entries(skeleton.maps.scratch) - CLEW_SCRATCH_TRIES);
  bpf_map__set_max_entries(skeleton.maps.tries, 1);
}

base::Result<void> SocketPrograms::join(clew_bpf& skeleton) const {
  if (!tries_ || (set_program(skeleton.maps.send_program, skeleton.progs.tp_btf__sock_send_length) &&
                  set_program(skeleton.maps.recv_program, skeleton.progs.tp_btf__sock_recv_length)))
    return {};
  return base::fail(fmt::format("cannot join the BPF programs: {}", std::strerror(errno)));
}

bool SocketPrograms::is_called_by_another(const clew_bpf& skeleton, const bpf_program* program) const {
  return tries_ && (program == skeleton.progs.tp_btf__sock_send_length || program == skeleton.progs.tp_btf__sock_recv_length);
}

}  // namespace clew::capture
