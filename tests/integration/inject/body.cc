// SPDX-License-Identifier: Apache-2.0
#include "body.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "words.h"

namespace torture {

size_t body_size(Random& random) {
  if (random.one_in(400)) return random.between(1 << 20, 5 << 20);
  if (random.one_in(10)) return random.any_scale(256 << 10);
  return random.any_scale(4000);
}

std::string body_bytes(Random& random, size_t n, size_t base, bool looks_like_requests, std::vector<size_t>& marks) {
  if (looks_like_requests) return decoys(random, n, base, marks);
  std::string out;
  while (out.size() < n) out += noise(random, std::min<size_t>(n - out.size(), 1 << 20));
  return out;
}

std::string chunked_bytes(Random& random, size_t n, size_t base, std::vector<size_t>& marks) {
  std::string out;
  const auto mark = [&](size_t at) { marks.push_back(base + at); };
  while (n != 0) {
    const size_t size = std::min(n, 1 + random.any_scale(random.one_in(4) ? n : std::min<size_t>(n, 3000)));
    n -= size;
    char digits[32];
    std::snprintf(digits, sizeof digits, random.one_in(2) ? "%zx" : "%zX", size);
    mark(out.size());
    if (random.one_in(8)) out += "00";
    out += digits;
    mark(out.size());
    if (random.one_in(4)) out += ";name=" + word(random, 5);
    if (random.one_in(8)) out += ";q=\"GET / HTTP/1.1 \\\" ;\"";
    mark(out.size() + 1);
    out += "\r\n";
    mark(out.size());
    out += body_bytes(random, size, base + out.size(), random.one_in(2), marks);
    mark(out.size());
    out += "\r\n";
    mark(out.size() - 1);
  }
  mark(out.size());
  out += random.one_in(8) ? "000" : "0";
  if (random.one_in(8)) out += ";last";
  mark(out.size() + 1);
  out += "\r\n";
  const size_t trailers = random.one_in(3) ? random.between(1, 3) : 0;
  for (size_t i = 0; i < trailers; ++i) {
    mark(out.size() + random.below(5));
    out += random.one_in(4) ? own_context(random, "\r\n") : "X-Sum: " + hex(random, 16) + "\r\n";
  }
  mark(out.size() + 1);
  out += "\r\n";
  return out;
}

}  // namespace torture
