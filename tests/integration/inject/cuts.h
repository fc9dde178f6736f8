// SPDX-License-Identifier: Apache-2.0
// Into which pieces a batch of items is cut before it is written.
#pragma once
#include <string>
#include <vector>

#include "item.h"
#include "random.h"

namespace torture {

struct Batch {
  struct Head {
    size_t begin, size;
    uint32_t index;
  };
  std::string bytes;
  std::vector<size_t> marks;
  std::vector<Head> heads;

  void add(const Item& item, uint32_t index);
};

// Ends of the pieces, in order; the last is the size.
std::vector<size_t> cut(const Plan& plan, const Batch& batch, Random& random);

}  // namespace torture
