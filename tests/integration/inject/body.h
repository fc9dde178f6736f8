// SPDX-License-Identifier: Apache-2.0
// Bodies: plain bytes of any size, and the chunked coding with all that RFC 9112, section 7.1 allows.
#pragma once
#include <string>
#include <vector>

#include "random.h"

namespace torture {

// Of `n` bytes, which lie at `base` of their item.
std::string body_bytes(Random& random, size_t n, size_t base, bool looks_like_requests, std::vector<size_t>& marks);
std::string chunked_bytes(Random& random, size_t n, size_t base, std::vector<size_t>& marks);
size_t body_size(Random& random);

}  // namespace torture
