// SPDX-License-Identifier: Apache-2.0
// Trace contexts put into requests: the sk_msg program, the map of sockets that it runs on, and how sockets get there.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "agent/base/result.h"

struct bpf_iter_attach_opts;
struct bpf_link;
struct bpf_program;
struct clew_bpf;

namespace clew::capture {

/// What the kernel side has to know to give a request the context that its span will have.
struct InjectionSettings {
  bool header = true;               // in a traceparent …
  bool tcp_option = false;          // … else beside the request's bytes
  std::array<uint64_t, 2> seed{};   // correlation::Seed
  uint64_t sampling_threshold = 0;  // of roots: sampling::threshold_of; 0 keeps all, 2^56 none
  bool sampling_by_parent = true;
  bool sampling_by_state = false;  // a ratio that holds for callers, too: `rv` and `th` of their tracestate count
  uint8_t reads_forms = 0;         // the other ones, as bits: enum http1_form
  uint8_t reads_traceparent = 2;   // 0: tracecontext is none of the propagators, 1: it is one, 2: the first
  std::string cgroup_directory;    // root of the v2 hierarchy: connections that begin below it are seen
};

/// One thread. Ends with its object, and with the process however that ends; connections live on.
class Injection {
 public:
  Injection() = default;
  ~Injection() { detach(); }
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;

  /// Before the skeleton is loaded. Without settings nothing of it is loaded, and no map made.
  static void configure(clew_bpf& skeleton, const InjectionSettings* settings);

  /// An error says what this kernel lacks: then nothing is attached.
  base::Result<void> attach(clew_bpf& skeleton, const InjectionSettings& settings);
  void detach();
  bool attached() const { return skeleton_ != nullptr; }
  /// This kernel tells the owners of such sockets wrongly how much they can read: programs that ask must be left alone.
  bool misreports_readable() const { return misreports_readable_; }

  /// Clients' sockets that are open already, once KernelSource has marked those of selected processes.
  base::Result<void> take_open_sockets();
  /// Lets go of the open sockets of processes that were not known to ask when they connected (set_rule). What a call has begun is finished.
  void release_askers();
  /// … and those that the process holds, whoever has connected them.
  void release_held(uint32_t process_id);
  /// The kernel side does nothing more on that one.
  void release(uint64_t connection);

 private:
  base::Result<void> look_at_sockets();
  static base::Result<void> walk(const bpf_program* program, const bpf_iter_attach_opts* options);

  clew_bpf* skeleton_ = nullptr;
  bpf_link* connected_ = nullptr;
  bool misreports_readable_ = false;
};

}  // namespace clew::capture
