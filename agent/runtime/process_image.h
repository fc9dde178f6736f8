// SPDX-License-Identifier: Apache-2.0
// A running process: its memory, and its executable or a library of it with the addresses of its symbols.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/elf_file.h"
#include "agent/discovery/proc_fs.h"

namespace clew::runtime {

/// Copies bytes at an address; false where nothing is mapped.
using ReadMemory = std::function<bool(uint64_t address, void* to, size_t bytes)>;

/// One 64-bit word, if it can be read.
inline std::optional<uint64_t> word_at(const ReadMemory& read, uint64_t address) {
  uint64_t word = 0;
  if (!read(address, &word, sizeof word)) return std::nullopt;
  return word;
}

struct Symbol {
  uint64_t address = 0;      // in the process
  uint64_t file_offset = 0;  // in the module's file, as a probe wants it
};

/// A file that the process has mapped as a program.
struct Module {
  std::string path;    // as the process's own mount namespace names it
  std::string file;    // to open it, whatever has become of `path`
  uint64_t start = 0;  // where its first byte is mapped
};

/// The modules of a process: those whose first byte is mapped. From the text of its `maps`.
std::vector<Module> modules_in(std::string_view maps, const std::string& process_directory);

class ProcessImage {
 public:
  static base::Result<ProcessImage> open(const discovery::ProcFs& proc, uint32_t process_id);

  /// The first module for which `wanted` is true of its path.
  const Module* find(const std::function<bool(std::string_view path)>& wanted) const;
  const std::vector<Module>& modules() const { return modules_; }
  /// The path of the executable.
  const std::string& executable() const { return executable_; }
  ReadMemory memory() const;

 private:
  std::string directory_;
  std::string executable_;
  std::vector<Module> modules_;
};

/// By how much a position-independent program was moved: from where it was told to begin. `file`: its executable.
std::optional<uint64_t> load_bias(const discovery::ProcFs& proc, uint32_t process_id, const discovery::ElfFile& file);

/// Where the named symbols of the module lie: nothing for those that it does not define. In the order of `names`.
base::Result<std::vector<std::optional<Symbol>>> find_symbols(const Module& module, std::span<const std::string_view> names);

}  // namespace clew::runtime
