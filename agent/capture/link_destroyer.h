// SPDX-License-Identifier: Apache-2.0
// Removes probes without making the caller wait: for each of them the kernel waits for all CPUs, tens of milliseconds.
#pragma once

#include <future>
#include <vector>

struct bpf_link;

namespace clew::capture {

/// Not thread-safe itself; has threads of its own, at most kThreads at a time.
class LinkDestroyer {
 public:
  static constexpr size_t kThreads = 8;  // they do nothing but wait, together

  LinkDestroyer() = default;
  LinkDestroyer(const LinkDestroyer&) = delete;
  LinkDestroyer& operator=(const LinkDestroyer&) = delete;
  ~LinkDestroyer() { wait(); }

  /// Begins now, or when those before are gone.
  void destroy(std::vector<bpf_link*> links);
  /// Until all are gone.
  void wait();

 private:
  void begin();

  std::vector<bpf_link*> waiting_;
  std::vector<std::future<void>> threads_;
};

}  // namespace clew::capture
