// SPDX-License-Identifier: Apache-2.0
// rustls, which is compiled into the program that uses it.
#pragma once

#include <string>

#include "agent/discovery/elf_file.h"
#include "agent/tls/file_probes.h"

namespace clew::tls {

/// The probes that rustls 0.23 needs, if the program keeps its symbols; else nothing is added. What they are given is proven in the kernel,
/// call by call (bpf/tls/rustls.bpf.h).
void add_rustls_probes(const discovery::ElfFile& file, FileProbes& result);

/// Is it in a program that keeps no symbols? By the paths of its source files, which its messages of panic name. Reads at most 64 MiB.
bool mentions_rustls(const std::string& path);

}  // namespace clew::tls
