// SPDX-License-Identifier: Apache-2.0
// libFuzzer target over the files of traced processes: whatever an ELF file says of itself, looking for TLS functions in it ends, with
// probes inside of the file, or with a reason. Input: the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/tls/file_probes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("elf", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  const auto found = clew::tls::find_file_probes(path);
  if (!found) {
    if (found.error().message.empty()) std::abort();
    return 0;
  }
  for (const clew::tls::Probe& probe : found->probes) {
    if (probe.offset < size) continue;
    std::fprintf(stderr, "a probe lies outside the file\n");
    std::abort();
  }
  return 0;
}
