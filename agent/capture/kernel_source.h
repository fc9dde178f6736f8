// SPDX-License-Identifier: Apache-2.0
// The live source: loads the BPF programs, selects processes, drains the ring buffer. One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/counters.h"
#include "agent/base/result.h"
#include "agent/capture/injection.h"
#include "agent/capture/process_probes.h"
#include "agent/capture/socket_programs.h"
#include "agent/capture/tls_probes.h"

struct clew_bpf;
struct ring_buffer;
struct bpf_link;

namespace clew::capture {

enum class SelectedBy : uint32_t { kTree = 1, kRule = 2 };

struct KernelSettings {
  uint32_t ring_bytes = 8U << 20;
  bool watch_exec = false;                                  // exec of every process is reported, not only of selected ones
  bool watch_cgroup = false;                                // moves between cgroups are reported
  std::vector<std::pair<uint16_t, uint16_t>> listen_ports;  // who begins to listen there is selected at once
  std::vector<std::string> executables;                     // who executes that file is: a path, or the name of a file in any folder
  std::optional<InjectionSettings> inject;                  // requests are given trace contexts
  bool force_sys_exit = false;                              // the fallback even where the socket tracepoints are there (tests)
};

/// A socket that a process held open when it was looked at.
struct OpenSocket {
  uint32_t process_id = 0;
  bool listening = false;
  uint16_t port = 0;
};

class KernelSource {
 public:
  using OnEvent = std::function<void(std::span<const std::byte>)>;

  /// Loads the programs; nothing is attached yet. An error says what the kernel refused.
  static base::Result<std::unique_ptr<KernelSource>> load(const KernelSettings& settings, OnEvent on_event, base::Counters& counters);
  ~KernelSource();
  KernelSource(const KernelSource&) = delete;
  KernelSource& operator=(const KernelSource&) = delete;

  base::Result<void> attach();
  /// Ends the flow of events; those in the ring can still be drained.
  void detach();

  base::Result<void> select(uint32_t process_id, SelectedBy by);
  void deselect(uint32_t process_id);
  /// Where the data of its runtime lie, so that its executions can be read. `runtime`: enum clew_runtime.
  base::Result<void> set_runtime(uint32_t process_id, uint32_t runtime, const std::array<uint64_t, 8>& layout);
  /// Runs `program` whenever the process passes that place of that file. Before set_runtime, which makes its events count.
  base::Result<void> attach_probe(uint32_t process_id, const std::string& program, const std::string& file, uint64_t offset,
                                  bool at_return);
  /// How its requests are told apart in the kernel (enum clew_rule), so that what is injected agrees with the spans. `once`: its sockets
  /// are let go before the first answer arrives.
  base::Result<void> set_rule(uint32_t process_id, uint32_t rule, bool once);
  /// Told by the kernel side (struct clew_event_release).
  void release(uint64_t connection) { injection_.release(connection); }
  void release_askers() { injection_.release_askers(); }
  void release_held(uint32_t process_id) { injection_.release_held(process_id); }
  const Injection& injection() const { return injection_; }

  /// Runs the kernel side's programs at those places of a TLS library. Before set_tls, which makes them count. Returns what set_tls is to
  /// be told of it: a bit of clew_process.tls_shared, or 0. Where probes cannot be set in a process that lives, that is counted.
  base::Result<uint32_t> attach_tls_probes(uint32_t process_id, const std::string& file, const std::string& key,
                                           std::span<const TlsProbe> probes);
  /// The plaintext of connections that the process has begun since then (CLOCK_MONOTONIC) is seen from their start. `kinds`: enum
  /// clew_process_tls.
  base::Result<void> set_tls(uint32_t process_id, uint64_t since_ns, uint32_t kinds, uint32_t shared);
  void forget_tls_probes(uint32_t process_id) { tls_probes_.detach(process_id); }
  /// The process has ended, or executes another program.
  void forget_probes(uint32_t process_id) { probes_.detach(process_id); }
  /// By --pid or COMMAND, itself or an ancestor: whatever it executes.
  bool selected_by_tree(uint32_t process_id) const;

  /// Marks sockets that a process has open already, and says which those are. process_id 0: of all selected processes.
  base::Result<std::vector<OpenSocket>> look_at_open_sockets(uint32_t process_id);

  /// Waits up to `patience` for events and hands over all there are. Returns how many, or -1 after a signal.
  int drain(std::chrono::milliseconds patience);
  /// Copies the kernel's counters (losses, figures, run time of each program) to Counters.
  void update_counters();

  Backend backend() const { return programs_.backend(); }

 private:
  KernelSource(OnEvent on_event, base::Counters& counters);
  int consume();
  static int on_sample(void* context, void* data, size_t size);

  OnEvent on_event_;
  base::Counters& counters_;
  clew_bpf* skeleton_ = nullptr;
  ring_buffer* ring_ = nullptr;
  SocketPrograms programs_;
  std::vector<bpf_link*> links_;
  ProcessProbes probes_;
  TlsProbes tls_probes_;
  bool many_at_once_ = false;  // probes of one file
  std::optional<InjectionSettings> injection_settings_;
  Injection injection_;
  int epoll_ = -1;
  int idle_rounds_ = 0;
  std::chrono::nanoseconds pause_{0};
  int samples_ = 0;         // of the consumption under way
  bool is_behind_ = false;  // the latest has left some
};

}  // namespace clew::capture
