// SPDX-License-Identifier: Apache-2.0
#include "other_item.h"

#include "answer.h"
#include "body.h"
#include "words.h"

namespace torture {
namespace {

std::string big_endian(size_t n, size_t bytes) {
  std::string out;
  for (size_t i = bytes; i-- > 0;) out += static_cast<char>(n >> (8 * i));
  return out;
}

std::string frame_of_http2(Random& random, std::string_view payload) {
  const char type = static_cast<char>(random.one_in(3) ? 1 : 0);
  return big_endian(payload.size(), 3) + type + static_cast<char>(random.below(2) * 4) + big_endian(random.below(100) * 2 + 1, 4) +
         std::string(payload);
}

}  // namespace

Item other_item(const Plan& plan, uint32_t index, Random& random) {
  Item item;
  std::vector<size_t> inner;
  const size_t size = 1 + random.any_scale(random.one_in(100) ? 300'000 : 3000);
  const std::string payload = body_bytes(random, size, 0, !random.one_in(3), inner);
  std::string& out = item.bytes;
  switch (plan.is[kTraffic]) {
    case kTlsHello:
      out = index == 0 ? std::string("\x16\x03\x01", 3) : std::string("\x17\x03\x03", 3);
      out += big_endian(payload.size() & 0x3fff, 2);
      break;
    case kRedis: out = "*3\r\n$3\r\nSET\r\n$4\r\n" + word(random, 4) + "\r\n$" + std::to_string(size) + "\r\n"; break;
    case kHttp2:
      if (index == 0) out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
      out += frame_of_http2(random, payload.substr(0, 16'000)).substr(0, 9);
      break;
    case kRtsp:
      out = "OPTIONS rtsp://localhost/" + word(random, 8) + " RTSP/1.0\r\nCSeq: " + std::to_string(index) +
            "\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
      break;
    default: out = big_endian(index % 9, 1) + big_endian(size, 4); break;
  }
  const size_t base = out.size();
  for (const size_t m : inner) item.marks.push_back(base + m);
  out += plan.is[kTraffic] == kHttp2 ? payload.substr(0, 16'000) : payload;
  if (plan.is[kTraffic] == kRedis) out += "\r\n";
  item.answer = plan.is[kTraffic] == kHttp2 ? std::string("\0\0\0\4\1\0\0\0\0", 9) : opaque_answer(random, index);
  return item;
}

Item tunnel_item(uint32_t index, Random& random) {
  Item item;
  item.bytes = random.one_in(2) ? "GET /decoy/tunnel HTTP/1.1\r\nHost: tunnel\r\n\r\n" : decoy(random);
  item.marks.push_back(item.bytes.size());
  if (random.one_in(2)) item.bytes += body_bytes(random, random.any_scale(5000), item.bytes.size(), true, item.marks);
  item.answer = opaque_answer(random, index);
  return item;
}

}  // namespace torture
