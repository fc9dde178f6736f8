// SPDX-License-Identifier: Apache-2.0
// The files with TLS functions that a process has mapped, or is about to map.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/proc_fs.h"
#include "agent/tls/file_probes.h"

namespace clew::tls {

struct MappedFile {
  std::string path;                          // as the process names it
  OpenFile file;                             // also if it lies in another mount namespace, or was deleted
  std::shared_ptr<const FileProbes> probes;  // perhaps none, but a description why
};

/// Is the program one of those whose TLS works in memory, while it moves the encrypted bytes, now or later, by calls of its own?
bool moves_bytes_itself(std::string_view program);

/// Its own file and those that a program which has just begun is about to map (needed_files.h).
std::vector<MappedFile> coming_files(const discovery::ProcFs& proc, uint32_t process_id, FileCache& cache);
/// The same before it executes that program.
std::vector<MappedFile> coming_files(const discovery::ProcFs& proc, uint32_t process_id, const std::string& program, FileCache& cache);
/// Those that it has mapped now, and that have probes. Reads the process's memory map, and of each file what the cache does not know.
std::vector<MappedFile> mapped_files(const discovery::ProcFs& proc, uint32_t process_id, FileCache& cache);

}  // namespace clew::tls
