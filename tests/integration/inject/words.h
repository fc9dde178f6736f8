// SPDX-License-Identifier: Apache-2.0
// Pieces of text that items are made of.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "random.h"

namespace torture {

std::string hex(Random& random, size_t digits);
std::string word(Random& random, size_t letters);
// `n` bytes of anything: a window of a block without a period, so that a shift shows.
std::string_view noise(Random& random, size_t n);
// Something that looks like the beginning of a message (a whole request, a response, the end of a head, …), for places where none begins.
std::string decoy(Random& random);
// `n` bytes full of decoys; where they begin is added to `marks`, counted from `base`.
std::string decoys(Random& random, size_t n, size_t base, std::vector<size_t>& marks);
// Header lines with a trace context as an application's own tracer writes them, in any letter case.
std::string own_context(Random& random, std::string_view eol);
// A header line that is nearly one, and none.
std::string nearly_context(Random& random, std::string_view eol);

}  // namespace torture
