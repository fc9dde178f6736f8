// SPDX-License-Identifier: Apache-2.0
#include "words.h"

#include <cctype>

namespace torture {
namespace {

constexpr size_t kBlock = (1 << 20) + 4099;

const std::string& block() {
  static const std::string bytes = [] {
    Random random(0x746f7274757265);
    std::string out(kBlock * 2, '\0');
    for (size_t i = 0; i < kBlock; ++i) out[i] = out[i + kBlock] = static_cast<char>(random.next());
    return out;
  }();
  return bytes;
}

std::string in_some_case(Random& random, std::string name) {
  const size_t how = random.below(4);
  bool first = true;
  for (char& c : name) {
    const bool upper = how == 0 ? false : how == 1 ? true : how == 2 ? first : random.one_in(2);
    first = c == '-';
    if (how != 0 || random.one_in(2)) c = static_cast<char>(upper ? std::toupper(c) : std::tolower(c));
  }
  return name;
}

std::string line(Random& random, std::string_view name, std::string_view value, std::string_view eol) {
  constexpr std::string_view kBlanks[] = {" ", "", "\t", "  "};
  std::string out = in_some_case(random, std::string(name));
  out += ':';
  out += kBlanks[random.one_in(4) ? random.below(4) : 0];
  out += value;
  if (random.one_in(16)) out += ' ';
  out += eol;
  return out;
}

std::string traceparent(Random& random) { return "00-" + hex(random, 32) + "-" + hex(random, 16) + (random.one_in(2) ? "-01" : "-00"); }

}  // namespace

std::string hex(Random& random, size_t digits) {
  std::string out(digits, '0');
  for (char& c : out) c = "0123456789abcdef"[random.below(16)];
  out.back() = '1';  // never all zeros
  return out;
}

std::string word(Random& random, size_t letters) {
  std::string out(letters, 'a');
  uint64_t draw = 0;
  for (size_t i = 0; i < letters; ++i, draw /= 26) {
    if (i % 12 == 0) draw = random.next();  // 26^12 < 2^64
    out[i] = static_cast<char>('a' + draw % 26);
  }
  return out;
}

std::string_view noise(Random& random, size_t n) {
  const size_t from = random.below(kBlock);
  return std::string_view(block()).substr(from, n);
}

std::string decoy(Random& random) {
  const std::string name = word(random, 6);
  switch (random.below(10)) {
    case 0: return "GET /decoy/" + name + " HTTP/1.1\r\nHost: decoy\r\n\r\n";
    case 1: return "POST /decoy/" + name + " HTTP/1.1\r\nHost: decoy\r\nContent-Length: 7\r\n\r\n" + name + "!";
    case 2: return "\r\n\r\nGET /decoy/" + name + " HTTP/1.1\r\nHost: decoy\r\nAccept: */*\r\n\r\n";
    case 3: return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nGET /decoy/" + name + " HTTP/1.1\r\nHost: d\r\n\r\n";
    case 4: return "0\r\n\r\nPUT /decoy/" + name + " HTTP/1.1\r\nHost: decoy\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    case 5: return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    case 6: return "GET /decoy/" + name + " HTTP/1.1\r\n";
    case 7: return "traceparent: " + traceparent(random) + "\r\n\r\n";
    case 8: return "HEAD /decoy/" + name + " HTTP/1.0\n\n";
    default: return name + "\r\n\r\n";
  }
}

std::string decoys(Random& random, size_t n, size_t base, std::vector<size_t>& marks) {
  std::string out;
  while (out.size() < n) {
    if (marks.size() < 200) marks.push_back(base + out.size());
    out += decoy(random);
    if (random.one_in(3)) out += noise(random, random.any_scale(n / 3 + 1));
  }
  out.resize(n);
  while (!marks.empty() && marks.back() > base + n) marks.pop_back();
  return out;
}

std::string own_context(Random& random, std::string_view eol) {
  switch (random.below(9)) {
    case 0:
    case 1: return line(random, "traceparent", traceparent(random), eol);
    case 2: return line(random, "traceparent", traceparent(random), eol) + line(random, "tracestate", "v=1", eol);
    case 3: return line(random, "b3", random.one_in(4) ? "0" : hex(random, 32) + "-" + hex(random, 16) + "-1", eol);
    case 4: return line(random, "X-B3-TraceId", hex(random, 32), eol) + line(random, "X-B3-SpanId", hex(random, 16), eol);
    case 5: return line(random, "X-B3-Sampled", "0", eol);
    case 6: return line(random, "uber-trace-id", hex(random, 16) + ":" + hex(random, 16) + ":0:1", eol);
    case 7: return line(random, "X-Amzn-Trace-Id", "Root=1-" + hex(random, 8) + "-" + hex(random, 24) + ";Sampled=1", eol);
    default:
      return line(random, "x-datadog-trace-id", std::to_string(random.next()), eol) +
             line(random, "x-datadog-parent-id", std::to_string(random.next()), eol);
  }
}

std::string nearly_context(Random& random, std::string_view eol) {
  switch (random.below(6)) {
    case 0: return line(random, "x-traceparent", traceparent(random), eol);
    case 1: return line(random, "traceparents", traceparent(random), eol);
    case 2: return line(random, "b33", "1", eol);
    case 3: return line(random, "x-note", "traceparent: " + traceparent(random), eol);
    case 4: return line(random, "baggage", "traceparent=" + hex(random, 8), eol);
    default: return line(random, "tracestate", "v=1", eol);
  }
}

}  // namespace torture
