// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/live_tls.h"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/tls/needed_files.h"
#include "bpf/events.h"

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
  attach(process_id, program_of(process_id), tls::mapped_files(proc_, process_id, files_));
}

void LiveTls::speaks_tls(uint32_t process_id) {
  look(process_id);
  Attached& attached = attached_[process_id];
  if (source_ == nullptr || attached.since_ns != 0 || std::exchange(attached.is_said, true)) return;
  messages_.info(
      fmt::format("process {} has TLS by a library that clew does not see into: what it encrypts gives no spans; why: clew explain {}",
                  process_id, process_id));
}

void LiveTls::expect(uint32_t process_id, const std::string& program) {
  if (source_ == nullptr) return;
  attach(process_id, tls::program_file(program), tls::coming_files(proc_, process_id, program, files_));
  // Its first connection may be there before we hear of the exec.
  if (const auto found = attached_.find(process_id); found != attached_.end()) tell(process_id, found->second, CLEW_TLS_AWAITED);
}

// What was attached to before stays: probes are of the process, whatever it executes.
void LiveTls::begin(uint32_t process_id) {
  if (source_ == nullptr) return;
  attach(process_id, program_of(process_id), tls::coming_files(proc_, process_id, files_));
  if (const auto found = attached_.find(process_id); found != attached_.end()) tell(process_id, found->second);
  look(process_id, true);
}

std::string LiveTls::program_of(uint32_t process_id) const {
  std::error_code error;
  return std::filesystem::read_symlink(fmt::format("{}/{}/exe", proc_.root, process_id), error).string();
}

void LiveTls::attach(uint32_t process_id, const std::string& program, const std::vector<tls::MappedFile>& files) {
  const bool by_bio =
      tls::moves_bytes_itself(program) || std::ranges::any_of(files, [](const tls::MappedFile& file) { return file.probes->moves_bytes; });
  const auto other = by_bio ? tls::Probe::Where::kMovesNone : tls::Probe::Where::kMovesBytes;
  bool added = false;
  for (const tls::MappedFile& file : files) {
    Attached& attached = attached_[process_id];
    if (!attached.keys.insert(file.file.key()).second) continue;
    std::vector<capture::TlsProbe> probes;
    for (const tls::Probe& probe : file.probes->probes)
      if (probe.where != other && ((probe.cookie & CLEW_TLS_RUSTLS) == 0 || source_->backend() == capture::Backend::kSocketTracepoints))
        probes.push_back({.program = probe.program,
                          .offset = probe.offset,
                          .at_return = probe.at_return,
                          .cookie = probe.cookie | (by_bio ? uint64_t{CLEW_TLS_BY_BIO} : 0)});
    if (probes.empty()) continue;
    const auto shared = source_->attach_tls_probes(process_id, file.file.path(), file.file.key(), probes);
    if (!shared) {
      refused(process_id, shared.error().message);
      continue;
    }
    added = true;
    attached.shared |= *shared;
    for (const auto& probe : probes)
      if (probe.program == std::string_view(tls::kMovedProgram) && (probe.cookie & CLEW_TLS_OPENSSL) == 0)
        attached.kinds |= (probe.cookie & CLEW_TLS_RUSTLS) != 0 ? CLEW_TLS_IN_RUSTLS : CLEW_TLS_GO;
    for (const std::string& line : file.probes->description)
      messages_.debug(fmt::format("process {}: {}: {}", process_id, file.path, line));
    if (*shared != 0) messages_.debug(fmt::format("process {}: {}: by the probes that it has for all processes", process_id, file.path));
  }
  if (!added) return;
  // What the connections that are open already have said is not known: the kernel side takes them for joined in the middle.
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Attached& attached = attached_[process_id];
  attached.since_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  attached.kinds = (attached.kinds & ~uint32_t{CLEW_TLS_MOVES}) | (by_bio ? CLEW_TLS_MOVES : 0);
  tell(process_id, attached);
}

// It has ended, most likely. If not, nothing of its TLS is seen: said once, counted each time.
void LiveTls::refused(uint32_t process_id, const std::string& why) {
  if (::kill(static_cast<pid_t>(process_id), 0) != 0 || was_refused_) return messages_.debug(why);
  was_refused_ = true;
  messages_.warn(fmt::format("{}: what it encrypts gives no spans (of others the same is only counted)", why));
}

void LiveTls::tell(uint32_t process_id, const Attached& attached, uint32_t kinds) {
  if (attached.since_ns == 0) return;
  if (const auto done = source_->set_tls(process_id, attached.since_ns, attached.kinds | kinds, attached.shared); !done)
    messages_.warn(done.error().message);
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
    attach(process_id, program_of(process_id), tls::mapped_files(proc_, process_id, files_));
  }
}

}  // namespace clew::commands
