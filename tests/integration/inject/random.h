// SPDX-License-Identifier: Apache-2.0
// Numbers that both ends can make again: SplitMix64 (Steele, Lea, Flood, 2014).
#pragma once
#include <cstddef>
#include <cstdint>

namespace torture {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 … n-1; n = 0 gives 0
  size_t below(size_t n) { return n == 0 ? 0 : next() % n; }
  size_t between(size_t low, size_t high) { return low + below(high - low + 1); }
  bool one_in(size_t n) { return below(n) == 0; }
  // Small numbers as often as large ones: each power of two has the same chance.
  size_t any_scale(size_t high) {
    size_t bits = 0;
    while (bits < 63 && (size_t{1} << bits) <= high) ++bits;
    const size_t n = next() & ((size_t{1} << below(bits + 1)) - 1);
    return n < high ? n : high;
  }

 private:
  uint64_t state_;
};

inline uint64_t mix(uint64_t a, uint64_t b) { return Random(a ^ (b * 0xd6e8feb86659fd93 + 0x2545f4914f6cdd1d)).next(); }

}  // namespace torture
