// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/live_tls.h"

#include <fmt/format.h>

#include <vector>

#include "agent/tls/process_probes.h"

namespace clew::commands {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr auto kFirstLook = milliseconds(10);  // after a program has begun: then its libraries are being loaded
constexpr auto kLastInterval = milliseconds(2560);

}  // namespace

void LiveTls::look(uint32_t process_id, bool again) {
  if (source_ == nullptr) return;
  if (again) due_[process_id] = {.at = steady_clock::now() + kFirstLook, .interval = kFirstLook};
  attach(process_id);
}

void LiveTls::attach(uint32_t process_id) {
  bool added = false;
  for (const tls::MappedFile& file : tls::mapped_files(proc_, process_id, files_)) {
    if (!attached_[process_id].insert(file.key).second) continue;
    for (const tls::Probe& probe : file.probes->probes)
      if (const auto done =
              source_->attach_tls_probe(process_id, {.program = probe.program, .file = file.file, .offset = probe.offset,
                                                     .at_return = probe.at_return, .cookie = probe.cookie});
          !done)
        return messages_.warn(done.error().message);
    added = true;
    for (const std::string& line : file.probes->description)
      messages_.debug(fmt::format("process {}: {}: {}", process_id, file.path, line));
  }
  // What the connections that are open already have said is not known: the kernel side takes them for joined in the middle.
  if (added)
    if (const auto done = source_->set_tls(process_id); !done) messages_.warn(done.error().message);
}

void LiveTls::forget(uint32_t process_id) {
  due_.erase(process_id);
  if (attached_.erase(process_id) != 0 && source_ != nullptr) source_->forget_tls_probes(process_id);
}

void LiveTls::tick() {
  if (due_.empty()) return;
  const auto now = steady_clock::now();
  std::vector<uint32_t> now_due;
  for (auto& [process_id, due] : due_) {
    if (due.at > now) continue;
    due.interval *= 2;
    due.at = now + due.interval;
    now_due.push_back(process_id);
  }
  for (const uint32_t process_id : now_due) {
    if (due_[process_id].interval > kLastInterval) due_.erase(process_id);
    attach(process_id);
  }
}

}  // namespace clew::commands
