// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/process_probes.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace clew::capture {

base::Result<void> ProcessProbes::attach(bpf_program* program, uint32_t process_id, const std::string& file, uint64_t offset,
                                         bool at_return, uint64_t cookie) {
  bpf_uprobe_opts options{};
  options.sz = sizeof options;
  options.retprobe = at_return;
  options.bpf_cookie = cookie;
  return keep(bpf_program__attach_uprobe_opts(program, static_cast<pid_t>(process_id), file.c_str(), offset, &options), process_id);
}

base::Result<void> ProcessProbes::attach_all(bpf_program* program, uint32_t process_id, const std::string& file,
                                             const std::vector<uint64_t>& offsets, const std::vector<uint64_t>& cookies, bool at_return) {
  bpf_uprobe_multi_opts options{};
  options.sz = sizeof options;
  static_assert(sizeof(uint64_t) == sizeof(__u64));
  options.offsets = offsets.data();
  options.cookies = reinterpret_cast<const __u64*>(cookies.data());
  options.cnt = offsets.size();
  options.retprobe = at_return;
  return keep(bpf_program__attach_uprobe_multi(program, static_cast<pid_t>(process_id), file.c_str(), nullptr, &options), process_id);
}

base::Result<void> ProcessProbes::keep(bpf_link* link, uint32_t process_id) {
  if (link == nullptr) return base::fail(fmt::format("cannot set a probe in process {}: {}", process_id, std::strerror(errno)));
  if (links_.size() >= kProcessesMax && !links_.contains(process_id)) {
    bpf_link__destroy(link);
    return base::fail(fmt::format("process {}: probes in {} processes are the most", process_id, kProcessesMax));
  }
  links_[process_id].push_back(link);
  return {};
}

void ProcessProbes::detach(uint32_t process_id) {
  const auto found = links_.find(process_id);
  if (found == links_.end()) return;
  destroyer_.destroy(std::move(found->second));
  links_.erase(found);
}

void ProcessProbes::clear() {
  std::vector<bpf_link*> all;
  for (const auto& [process_id, links] : links_) all.insert(all.end(), links.begin(), links.end());
  links_.clear();
  destroyer_.destroy(std::move(all));
  destroyer_.wait();
}

}  // namespace clew::capture
