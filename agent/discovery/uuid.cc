// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/uuid.h"

#include <bit>
#include <cstddef>

namespace clew::discovery {
namespace {

using Digest = std::array<uint8_t, 20>;

/// SHA-1 (FIPS 180-4): here a name mangler that RFC 9562 prescribes, not a protection.
class Sha1 {
 public:
  void update(uint8_t byte) {
    block_[length_++ % kBlock] = byte;
    if (length_ % kBlock == 0) compress();
  }
  Digest finish() {
    const uint64_t bits = length_ * 8;
    update(0x80);
    while (length_ % kBlock != kBlock - 8) update(0);
    for (int shift = 56; shift >= 0; shift -= 8) update(static_cast<uint8_t>(bits >> shift));
    Digest digest;
    for (size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
  }

 private:
  static constexpr size_t kBlock = 64;

  void compress() {
    std::array<uint32_t, 80> w;
    for (size_t i = 0; i < 16; ++i) {
      w[i] = uint32_t{block_[4 * i]} << 24 | uint32_t{block_[4 * i + 1]} << 16 | uint32_t{block_[4 * i + 2]} << 8 | block_[4 * i + 3];
    }
    for (size_t i = 16; i < w.size(); ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = state_;
    for (size_t i = 0; i < w.size(); ++i) {
      uint32_t f = 0;
      uint32_t k = 0;
      if (i < 20) {
        f = (b & c) | (~b & d);
        k = 0x5a827999;
      } else if (i < 40) {
        f = b ^ c ^ d;
        k = 0x6ed9eba1;
      } else if (i < 60) {
        f = (b & c) | (b & d) | (c & d);
        k = 0x8f1bbcdc;
      } else {
        f = b ^ c ^ d;
        k = 0xca62c1d6;
      }
      const uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    state_[0] += a;
    state_[1] += b;
    state_[2] += c;
    state_[3] += d;
    state_[4] += e;
  }

  std::array<uint32_t, 5> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::array<uint8_t, kBlock> block_{};
  uint64_t length_ = 0;
};

}  // namespace

std::string uuid_v5(const Uuid& space, std::string_view name) {
  Sha1 sha;
  for (const uint8_t byte : space) sha.update(byte);
  for (const char c : name) sha.update(static_cast<uint8_t>(c));
  Digest digest = sha.finish();
  digest[6] = static_cast<uint8_t>((digest[6] & 0x0f) | 0x50);
  digest[8] = static_cast<uint8_t>((digest[8] & 0x3f) | 0x80);

  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kHex[digest[i] >> 4]);
    text.push_back(kHex[digest[i] & 15]);
  }
  return text;
}

}  // namespace clew::discovery
