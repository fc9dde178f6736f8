// SPDX-License-Identifier: Apache-2.0
// Probes in TLS libraries: a process's own while few run the file, and one of the file for all that come after them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/base/result.h"
#include "agent/capture/link_destroyer.h"
#include "agent/capture/process_probes.h"

struct bpf_link;
struct bpf_object;
struct bpf_program;

namespace clew::capture {

struct TlsProbe {
  const char* program;  // of the kernel side
  uint64_t offset;
  bool at_return;
  uint64_t cookie;  // enum clew_tls_flag
};

/// A hit of a probe costs something for each process that has one of its own at that place, and each of them takes the kernel some 25 ms
/// to remove. So from the kOwnMax'th process on a file has one set of probes for all; the kernel side lets those count whose
/// clew_process.tls_shared has the file's bit. Not thread-safe.
class TlsProbes {
 public:
  static constexpr size_t kOwnMax = 8;     // processes with probes of their own, per file
  static constexpr uint32_t kShared = 31;  // files with probes for all, by number: 1 to kShared; further ones have only own

  /// `many_at_once`: programs were loaded for BPF_TRACE_UPROBE_MULTI.
  void use(bpf_object* object, bool many_at_once);
  /// `key`: the same for the same file. Returns the number of the file if its probes are for all, 0: they are of this process.
  base::Result<uint32_t> attach(uint32_t process_id, const std::string& file, const std::string& key, std::span<const TlsProbe> probes);
  /// The process has ended, or is not followed any more. A file's probes go with the last process that it has.
  void detach(uint32_t process_id);
  void clear();

 private:
  struct File {
    std::unordered_set<uint32_t> own;
    std::unordered_set<uint32_t> sharing;
    std::unordered_set<std::string> programs;  // that are attached for all
    std::vector<bpf_link*> links;
    uint32_t number = 0;
  };
  base::Result<void> attach_own(uint32_t process_id, const std::string& file, std::span<const TlsProbe> probes);
  base::Result<void> attach_for_all(File& known, const std::string& file, std::span<const TlsProbe> probes);
  uint32_t free_number();
  void drop_unused(const std::string& key);
  std::unexpected<base::Error> failed(const std::string& key, base::Error error);

  bpf_object* object_ = nullptr;
  bool many_at_once_ = false;
  ProcessProbes own_;
  LinkDestroyer destroyer_;
  std::unordered_map<std::string, File> files_;
  std::unordered_map<uint32_t, std::vector<std::string>> files_of_;  // keys, by process
  uint32_t numbers_ = 0;                                             // in use, as bits
  uint32_t latest_ = 0;
};

}  // namespace clew::capture
