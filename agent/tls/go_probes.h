// SPDX-License-Identifier: Apache-2.0
// The probes that crypto/tls of a Go program needs: found by .gopclntab, so in stripped programs too.
#pragma once

#include "agent/discovery/elf_file.h"
#include "agent/tls/file_probes.h"

namespace clew::tls {

/// Adds them, or to the description why there are none. Nothing of a program that is not Go's, or does not use crypto/tls.
void add_go_probes(const discovery::ElfFile& file, FileProbes& result);

}  // namespace clew::tls
