// SPDX-License-Identifier: Apache-2.0
// The code of RFC 7541, Appendix B. It is canonical: symbols of one length have consecutive codes, in the order of the symbols.
#include "protocols/http2/huffman.h"

#include <array>
#include <cstdint>

namespace clew::protocols::http2 {
namespace {

constexpr int kLengthMax = 30;
/// Bits of the code of each byte. EOS has 30, all ones.
constexpr std::array<uint8_t, 256> kLengths = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10,
    13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
};

struct Tables {
  std::array<uint8_t, 256> by_length{};                // the bytes in the order of their codes
  std::array<uint32_t, kLengthMax + 2> first_code{};   // of that length
  std::array<uint16_t, kLengthMax + 2> first_index{};  // in by_length
  /// For the next 8 bits: the byte whose code they begin with, and its length (0: it is longer).
  std::array<uint8_t, 256> short_byte{};
  std::array<uint8_t, 256> short_length{};
};

constexpr Tables kTables = [] {
  Tables t;
  uint32_t code = 0;
  uint16_t index = 0;
  for (int length = 1; length <= kLengthMax; ++length) {
    code <<= 1U;
    t.first_code[length] = code;
    t.first_index[length] = index;
    for (int byte = 0; byte < 256; ++byte) {
      if (kLengths[byte] != length) continue;
      t.by_length[index++] = static_cast<uint8_t>(byte);
      if (length <= 8) {
        const uint32_t from = code << (8 - length);
        for (uint32_t i = from; i < from + (1U << (8 - length)); ++i) {
          t.short_byte[i] = static_cast<uint8_t>(byte);
          t.short_length[i] = static_cast<uint8_t>(length);
        }
      }
      ++code;
    }
  }
  t.first_index[kLengthMax + 1] = index;
  return t;
}();

/// The length of the code that the 32 bits begin with; 0: of none.
int long_length(uint32_t bits) {
  for (int length = 9; length <= kLengthMax; ++length) {
    const uint32_t offset = (bits >> (32 - length)) - kTables.first_code[length];
    if (offset < static_cast<uint32_t>(kTables.first_index[length + 1] - kTables.first_index[length])) return length;
  }
  return 0;
}

}  // namespace

bool decode_huffman(std::string_view bytes, std::string& out) {
  bool is_whole = false;
  const size_t before = out.size();
  // No code is shorter than five bits.
  out.resize_and_overwrite(before + bytes.size() * 8 / 5 + 1, [&](char* const text, size_t) {
    char* to = text + before;
    uint64_t bits = 0;  // at the top
    int count = 0;
    for (size_t at = 0;;) {
      while (count < kLengthMax && at < bytes.size()) {
        bits |= uint64_t{static_cast<uint8_t>(bytes[at++])} << (56 - count);
        count += 8;
      }
      if (count == 0) {
        is_whole = true;
        break;
      }
      const auto index = static_cast<size_t>(bits >> 56U);
      int length = kTables.short_length[index];
      char byte = static_cast<char>(kTables.short_byte[index]);
      if (length == 0 && count >= 9) {
        const auto top = static_cast<uint32_t>(bits >> 32U);
        length = long_length(top);
        if (length == 0) break;
        byte = static_cast<char>(kTables.by_length[kTables.first_index[length] + (top >> (32 - length)) - kTables.first_code[length]]);
      }
      if (length == 0 || length > count) {
        // RFC 7541 §5.2: less than a byte of ones, the beginning of EOS
        is_whole = at == bytes.size() && count < 8 && bits >> (64 - count) == (uint64_t{1} << count) - 1;
        break;
      }
      *to++ = byte;
      bits <<= length;
      count -= length;
    }
    return static_cast<size_t>(to - text);
  });
  return is_whole;
}

}  // namespace clew::protocols::http2
