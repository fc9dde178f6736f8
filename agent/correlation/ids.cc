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
};

// SipHash-2-4 of four words.
uint64_t siphash(const std::array<uint64_t, 2>& key, const std::array<uint64_t, 4>& words) {
  SipState s{key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
             key[1] ^ 0x7465646279746573ULL};
  for (uint64_t word : words) {
    s.v3 ^= word;
    s.round();
    s.round();
    s.v0 ^= word;
  }
  const uint64_t length = uint64_t{words.size() * 8} << 56;
  s.v3 ^= length;
  s.round();
  s.round();
  s.v0 ^= length;
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

template <size_t N>
void store(std::array<uint8_t, N>& id, size_t at, uint64_t value) {
  if (value == 0) value = 1;  // an id of zeros is no id
  std::memcpy(id.data() + at, &value, sizeof value);
}

}  // namespace

exporter::TraceId Ids::trace_id(uint64_t connection, uint64_t position, uint64_t stream_id) const {
  exporter::TraceId id{};
  store(id, 0, siphash(seed_.key, {connection, position, stream_id, 1}));
  store(id, 8, siphash(seed_.key, {connection, position, stream_id, 2}));
  return id;
}

exporter::SpanId Ids::span_id(uint64_t connection, uint64_t position, uint64_t stream_id, exporter::SpanKind kind) const {
  exporter::SpanId id{};
  store(id, 0, siphash(seed_.key, {connection, position, stream_id, 16 + static_cast<uint64_t>(kind)}));
  return id;
}

}  // namespace clew::correlation
