// SPDX-License-Identifier: Apache-2.0
#include "cuts.h"

#include <algorithm>

namespace torture {
namespace {

constexpr size_t kPiecesMax = 400;  // per batch; what is left then goes in one

void random_cuts(std::vector<size_t>& cuts, size_t from, size_t to, Random& random) {
  const size_t scale = size_t{1} << random.below(21);  // up to 1 MiB
  while (from < to && cuts.size() < kPiecesMax) cuts.push_back(from = std::min(to, from + 1 + random.below(scale)));
}

// A sweep: the runs of a connection and the connections of a run go through every byte of a head.
void sweep(std::vector<size_t>& cuts, const Plan& plan, const Batch& batch) {
  for (const Batch::Head& h : batch.heads)
    if (h.size > 1) cuts.push_back(h.begin + 1 + (plan.ordinal * 61 + h.index) % (h.size - 1));
}

void awkward(std::vector<size_t>& cuts, const Batch& batch, Random& random) {
  const size_t every = batch.marks.size() > 200 ? batch.marks.size() / 100 : 1 + random.below(3);
  for (const size_t m : batch.marks)
    if (random.one_in(every)) cuts.push_back(m + (random.one_in(6) ? random.below(3) : 1) - 1);
}

}  // namespace

void Batch::add(const Item& item, uint32_t index) {
  const size_t base = bytes.size();
  for (const size_t m : item.marks) marks.push_back(base + m);
  if (item.head_end != 0) heads.push_back({base, item.head_end, index});
  bytes += item.bytes;
  marks.push_back(bytes.size());
}

std::vector<size_t> cut(const Plan& plan, const Batch& batch, Random& random) {
  std::vector<size_t> cuts;
  const size_t size = batch.bytes.size();
  switch (plan.is[kWriter]) {
    case kPieces: random_cuts(cuts, 0, size, random); break;
    case kBytes:
      for (size_t at = 1; at < size && at < 350; ++at) cuts.push_back(at);
      break;
    case kSplit: sweep(cuts, plan, batch); break;
    case kWhole: break;
    case kAwkward: awkward(cuts, batch, random); break;
    default:
      if (random.one_in(2)) awkward(cuts, batch, random);
      if (random.one_in(3)) random_cuts(cuts, random.below(size), size, random);
  }
  cuts.push_back(size);
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::erase_if(cuts, [&](size_t c) { return c == 0 || c > size; });
  if (cuts.size() > kPiecesMax + 50) cuts.erase(cuts.begin() + kPiecesMax, cuts.end() - 1);
  return cuts;
}

}  // namespace torture
