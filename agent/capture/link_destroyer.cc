// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/link_destroyer.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

namespace clew::capture {

void LinkDestroyer::destroy(std::vector<bpf_link*> links) {
  waiting_.insert(waiting_.end(), links.begin(), links.end());
  const auto is_done = [](const std::future<void>& thread) {
    return thread.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  if (std::ranges::all_of(threads_, is_done)) begin();
}

void LinkDestroyer::begin() {
  threads_.clear();
  const size_t share = (waiting_.size() + kThreads - 1) / kThreads;
  for (size_t at = 0; at < waiting_.size(); at += share) {
    const auto first = waiting_.begin() + static_cast<std::ptrdiff_t>(at);
    const auto last = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(at + share, waiting_.size()));
    const auto destroy_these = [links = std::vector<bpf_link*>(first, last)] {
      for (bpf_link* const link : links) bpf_link__destroy(link);
    };
    try {
      threads_.push_back(std::async(std::launch::async, destroy_these));
    } catch (const std::system_error&) {  // as many threads as this user or cgroup may have
      destroy_these();
    }
  }
  waiting_.clear();
}

void LinkDestroyer::wait() {
  while (!threads_.empty() || !waiting_.empty()) begin();  // its clear() waits for each thread
}

}  // namespace clew::capture
