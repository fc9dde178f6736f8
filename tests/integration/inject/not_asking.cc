// SPDX-License-Identifier: Apache-2.0
// Linked into the client whose code nowhere asks a socket how much it holds.
#include "probes.h"

namespace torture {

const bool kAsks = false;

std::string readable_bytes_are(int, size_t, unsigned) { return {}; }

}  // namespace torture
