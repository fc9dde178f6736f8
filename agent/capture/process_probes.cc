// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/process_probes.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace clew::capture {

base::Result<void> ProcessProbes::attach(bpf_program* program, uint32_t process_id, const std::string& file, uint64_t offset,
                                         bool at_return) {
  if (links_.size() >= kProcessesMax && !links_.contains(process_id))
    return base::fail(fmt::format("process {}: probes in {} processes are the most", process_id, kProcessesMax));
  bpf_uprobe_opts options{};
  options.sz = sizeof options;
  options.retprobe = at_return;
  bpf_link* const link = bpf_program__attach_uprobe_opts(program, static_cast<pid_t>(process_id), file.c_str(), offset, &options);
  if (link == nullptr) return base::fail(fmt::format("cannot set a probe in process {}: {}", process_id, std::strerror(errno)));
  links_[process_id].push_back(link);
  return {};
}

void ProcessProbes::detach(uint32_t process_id) {
  const auto found = links_.find(process_id);
  if (found == links_.end()) return;
  for (bpf_link* const link : found->second) bpf_link__destroy(link);
  links_.erase(found);
}

void ProcessProbes::clear() {
  for (const auto& [process_id, links] : links_)
    for (bpf_link* const link : links) bpf_link__destroy(link);
  links_.clear();
}

}  // namespace clew::capture
