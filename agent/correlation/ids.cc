// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/ids.h"

#include <bit>
#include <cstring>

namespace clew::correlation {
namespace {

struct SipState {
  uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

// SipHash-2-4 of texts of four words that have the first three in common.
class SipHash {
 public:
  SipHash(const std::array<uint64_t, 2>& key, const std::array<uint64_t, 3>& words)
      : begun_{key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
               key[1] ^ 0x7465646279746573ULL} {
    for (uint64_t word : words) begun_.take(word);
  }

  uint64_t operator()(uint64_t last_word) const {
    SipState s = begun_;
    s.take(last_word);
    s.take(kLength << 56);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) s.round();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  }

 private:
  static constexpr uint64_t kLength = 4 * sizeof(uint64_t);
  SipState begun_;
};

template <size_t N>
void store(std::array<uint8_t, N>& id, size_t at, uint64_t value) {
  if (value == 0) value = 1;  // an id of zeros is no id
  std::memcpy(id.data() + at, &value, sizeof value);
}

}  // namespace

RequestIds Ids::of(uint64_t connection, uint64_t position, uint64_t stream_id, exporter::SpanKind kind) const {
  const SipHash hash(seed_.key, {connection, position, stream_id});
  RequestIds ids;
  store(ids.trace_id, 0, hash(1));
  store(ids.trace_id, 8, hash(2));
  store(ids.span_id, 0, hash(16 + static_cast<uint64_t>(kind)));
  return ids;
}

}  // namespace clew::correlation
