// SPDX-License-Identifier: Apache-2.0
// libFuzzer target over the files of traced processes: whatever an ELF file says of itself, looking in it for TLS functions, Go's table of
// functions, the runtime, the symbols and the libraries that it needs ends, with places inside of the file, or with a reason. Input: the
// file.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "agent/discovery/runtime.h"
#include "agent/runtime/process_image.h"
#include "agent/tls/file_probes.h"
#include "agent/tls/needed_files.h"
#include "agent/tls/rustls.h"

namespace {

constexpr std::array<std::string_view, 3> kSymbols = {"SSL_read", "_PyRuntime", "write"};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// A /proc in which process 1 runs the file.
std::string fake_proc(const std::string& file) {
  std::string root = std::filesystem::temp_directory_path() / ("clew_elf_fuzz_" + std::to_string(getpid()));
  std::filesystem::create_directories(root + "/1/root");
  std::filesystem::create_symlink(file, root + "/1/exe");
  return root;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("elf", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  static const clew::discovery::ProcFs proc{.root = fake_proc(path)};
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;

  const auto found = clew::tls::find_file_probes(path);
  require(found || !found.error().message.empty(), "no probes, and no reason");
  if (found)
    for (const clew::tls::Probe& probe : found->probes) require(probe.offset < size, "a probe lies outside the file");
  const auto executable = clew::discovery::inspect_executable(path);
  require(executable || !executable.error().message.empty(), "no program, and no reason");
  if (executable) require(executable->version.size() <= 4096, "a version beyond reason");
  if (const auto symbols = clew::runtime::find_symbols({.path = "/program", .file = path, .start = 0x10000}, kSymbols))
    for (const auto& symbol : *symbols) require(!symbol || symbol->file_offset < size, "a symbol lies outside the file");
  require(clew::tls::needed_files(proc, 1).size() <= clew::tls::kNeededFilesMax, "more libraries than anybody has");
  clew::tls::mentions_rustls(path);
  return 0;
}
