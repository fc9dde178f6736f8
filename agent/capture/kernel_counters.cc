// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/kernel_counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "agent/capture/socket_programs.h"

// clang-format off: the skeleton needs the types of events.h
#include "bpf/events.h"
#include "bpf/clew.skel.h"
// clang-format on

namespace clew::capture {
namespace {

constexpr std::array<const char*, CLEW_ALONE_MAX> kAloneReasons = {"own_context", "no_context",   "send_buffer", "head_split", "framing",
                                                                   "upgrade",     "partial_send", "zero_copy",   "mid_stream", "pipelined",
                                                                   "memory",      "busy",         "socket",      "let_go",     "too_long"};

constexpr std::array<const char*, CLEW_LOSS_MAX> kLossReasons = {"ring_full",
                                                                 "ring_full_bytes",
                                                                 "socket_storage",
                                                                 "process_map_full",
                                                                 "read_user",
                                                                 "unreadable_call",
                                                                 "compat_call",
                                                                 "call_too_complex",
                                                                 "unseen_bytes",
                                                                 "connection_map_full",
                                                                 "process_event_ring_full",
                                                                 "go_caller_map_full",
                                                                 "tls_socket_unknown",
                                                                 "tls_session_map_full",
                                                                 "tls_busy",
                                                                 "tls_begun_before_probes",
                                                                 "ring_full_streams"};

// Of each program: how long it has run, and how often it was left out because it was running.
void copy_runs(clew_bpf& skeleton, base::Counters& counters) {
  uint64_t missed = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    const int fd = bpf_program__fd(program);
    bpf_prog_info info{};
    uint32_t size = sizeof info;
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) continue;
    const std::string labels = fmt::format("program=\"{}\"", bpf_program__name(program));
    if (info.run_time_ns != 0) counters.get("clew_bpf_run_nanoseconds_total", labels).set(info.run_time_ns);
    if (info.recursion_misses == 0) continue;
    counters.get("clew_bpf_misses_total", labels).set(info.recursion_misses);
    // A call that one of these was left out for has been seen by the next one; if by none, the positions show a hole.
    if (!is_try(program)) missed += info.recursion_misses;
  }
  if (missed != 0) counters.lost("kernel", "program_busy").set(missed);
}

}  // namespace

void copy_counters(clew_bpf& skeleton, bool injecting, base::Counters& counters) {
  const auto cpus = static_cast<size_t>(libbpf_num_possible_cpus());
  const size_t value_bytes = (bpf_map__value_size(skeleton.maps.scratch) + 7) / 8 * 8;
  std::vector<std::byte> values(cpus * value_bytes);
  std::array<uint64_t, CLEW_LOSS_MAX> losses{};
  std::array<uint64_t, CLEW_FIGURE_MAX> figures{};
  std::array<uint64_t, CLEW_ALONE_MAX> left_alone{};
  for (uint32_t user = 0; user < bpf_map__max_entries(skeleton.maps.scratch); ++user) {
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton.maps.scratch), &user, values.data()) != 0) continue;
    for (size_t cpu = 0; cpu < cpus; ++cpu) {
      clew_counters one;
      std::memcpy(&one, values.data() + cpu * value_bytes, sizeof one);
      for (size_t i = 0; i < losses.size(); ++i) losses[i] += one.losses[i];
      for (size_t i = 0; i < figures.size(); ++i) figures[i] += one.figures[i];
      for (size_t i = 0; i < left_alone.size(); ++i) left_alone[i] += one.left_alone[i];
    }
  }
  for (size_t i = 0; i < losses.size(); ++i) {
    if (losses[i] == 0) continue;
    if (i == CLEW_LOSS_RING_FULL_BYTES)
      counters.get("clew_lost_bytes_total", "where=\"kernel\",reason=\"ring_full\"").set(losses[i]);
    else
      counters.lost("kernel", kLossReasons[i]).set(losses[i]);
  }
  if (injecting) {
    counters.get("clew_injected_total", "how=\"added\"").set(figures[CLEW_FIGURE_INJECTED]);
    counters.get("clew_injected_total", "how=\"updated\"").set(figures[CLEW_FIGURE_UPDATED]);
    counters.get("clew_injected_total", "how=\"tcp_option\"").set(figures[CLEW_FIGURE_CARRIED_OUT]);
    counters.get("clew_propagation_tcp_option_total").set(figures[CLEW_FIGURE_CARRIED_IN]);
    for (size_t i = 0; i < left_alone.size(); ++i)
      if (left_alone[i] != 0) counters.get("clew_left_alone_total", fmt::format("reason=\"{}\"", kAloneReasons[i])).set(left_alone[i]);
  }
  counters.get("clew_kernel_calls_total").set(figures[CLEW_FIGURE_CALLS]);
  counters.get("clew_kernel_connections_total").set(figures[CLEW_FIGURE_CONNECTIONS]);
  counters.get("clew_kernel_foreign_calls_total").set(figures[CLEW_FIGURE_FOREIGN]);
  counters.get("clew_kernel_probe_hits_total").set(figures[CLEW_FIGURE_PROBES]);
  counters.get("clew_kernel_tls_calls_total").set(figures[CLEW_FIGURE_TLS_CALLS]);
  copy_runs(skeleton, counters);
}

}  // namespace clew::capture
