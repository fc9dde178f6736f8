// SPDX-License-Identifier: Apache-2.0
// The probes that an ELF file with TLS functions needs, whoever maps it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/result.h"
#include "agent/tls/open_file.h"

namespace clew::tls {

/// Of the kernel side: for functions that have the bytes at their beginning.
inline constexpr char kMovedProgram[] = "uprobe__tls_moved";

struct Probe {
  /// In processes that move the encrypted bytes themselves, or in those that do not.
  enum class Where : uint8_t { kAnywhere, kMovesBytes, kMovesNone };

  const char* program = nullptr;  // of the kernel side
  uint64_t offset = 0;            // in the file
  bool at_return = false;
  uint64_t cookie = 0;  // enum clew_tls_flag
  Where where = Where::kAnywhere;
};

struct FileProbes {
  std::vector<Probe> probes;             // none: no TLS library, or none that is understood
  std::vector<std::string> description;  // for `clew explain`, a line each: "openssl: SSL_read by a probe at +0x10, 0.5 µs"
  std::string damage;                    // why the file cannot be read
  bool moves_bytes = false;              // it moves the encrypted bytes of OpenSSL's sessions itself
};

/// Reads symbols (at most 64 MiB) and the code of the functions. An Error says what is wrong with the file.
base::Result<FileProbes> find_file_probes(const std::string& path);

/// Each file once, whoever maps it under whatever name. Not thread-safe. Bounded: at the bound it forgets all.
class FileCache {
 public:
  static constexpr size_t kFilesMax = 4096;
  struct Entry {
    OpenFile file;
    std::shared_ptr<const FileProbes> probes;  // nullptr: no file, or one that is being written
  };
  /// A file that cannot be read has no probes, but a reason.
  Entry look(const std::string& path);
  /// What a program needs, once it was found out: paths below the root of whoever runs it.
  std::unordered_map<std::string, std::vector<std::string>>& needs() { return needs_; }

 private:
  std::unordered_map<std::string, std::shared_ptr<const FileProbes>> files_;
  std::unordered_map<std::string, std::vector<std::string>> needs_;  // by the program's key
};

}  // namespace clew::tls
