// SPDX-License-Identifier: Apache-2.0
// What kind of program an executable is: language runtime and version, linking, symbols, TLS. For `clew explain`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/proc_fs.h"

namespace clew::discovery {

struct Executable {
  /// A language's, or a program that has executions of its own.
  enum class Runtime : uint8_t { kNative, kGo, kRust, kCpython, kNode, kJvm, kRuby, kPerl, kPhp, kDotnet, kDeno, kBun, kHaproxy };
  Runtime runtime = Runtime::kNative;
  std::string version;   // "go1.22.4", "3.11" …; empty where the file does not say
  std::string machine;   // "amd64", "arm64"; else ELF's number
  bool dynamic = false;  // has an interpreter or needs libraries
  bool position_independent = false;
  bool stripped = false;                // no .symtab
  std::vector<std::string> needed;      // DT_NEEDED
  std::vector<std::string> static_tls;  // "openssl", "boringssl", "rustls", "go crypto/tls": linked into the file itself
};

std::string_view name_of(Executable::Runtime runtime);

/// Looks into the file at `path` (/proc/PID/exe serves). Reads headers, the dynamic section and at most 64 MiB of symbols; not the code.
/// An Error says what is wrong with the file: "x is not an ELF file", "x: section table lies outside the file".
base::Result<Executable> inspect_executable(const std::string& path);

/// A library mapped into a process.
struct MappedLibrary {
  std::string kind;  // "openssl", "gnutls", "nss", "mbedtls", "wolfssl", "boringssl", "cpython", "node", "jvm" …
  std::string path;  // as the process's own mount namespace names it
  uint64_t inode = 0;
  bool deleted = false;  // the file was replaced since: probes must go to the mapped one
};

/// The libraries of a process that matter to us (TLS, language runtimes), from /proc/PID/maps; each file once.
base::Result<std::vector<MappedLibrary>> mapped_libraries(const ProcFs& proc, uint32_t process_id);
std::vector<MappedLibrary> parse_maps(std::string_view maps);

}  // namespace clew::discovery
