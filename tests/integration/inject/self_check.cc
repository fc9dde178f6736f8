// SPDX-License-Identifier: Apache-2.0
// Shows that the verifier can fail: feeds it streams that were damaged in every way that injection could damage one, and sound ones.
//
// usage: torture_self_check [--rounds N]      A line per kind of damage, `N passed, N failed` at the end.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "random.h"
#include "verifier.h"
#include "words.h"

using namespace torture;

namespace {

std::string a_line(Random& r) { return "traceparent: 00-" + hex(r, 32) + "-" + hex(r, 16) + "-01\r\n"; }

// A stream as written, with some lines added where they may be, and where everything lies in it.
struct Stream {
  std::string bytes;
  std::vector<size_t> begins, places, lines, forbidden;  // items; heads without a line; added lines; heads that may not have one
  size_t injected = 0;
};

Stream sound(const Plan& plan, Random& r, bool with_lines) {
  Stream s;
  for (uint32_t i = 0; i < plan.items; ++i) {
    const Item item = make_item(plan, i);
    const size_t begin = s.bytes.size();
    s.begins.push_back(begin);
    s.bytes += item.bytes;
    if (item.insert_at == kNowhere) {
      if (item.head_end > 2) s.forbidden.push_back(begin + item.head_end - (item.bytes[item.head_end - 2] == '\r' ? 2 : 1));
      continue;
    }
    if (with_lines && r.one_in(2)) {
      s.bytes.insert(begin + item.insert_at, a_line(r));
      s.lines.push_back(begin + item.insert_at);
      ++s.injected;
    } else {
      s.places.push_back(begin + item.insert_at);
    }
  }
  return s;
}

// Is it accepted whole? Counts the lines that were seen.
bool accepted(const Plan& plan, std::string_view bytes, Random& r, size_t& injected) {
  Verifier v(plan);
  injected = 0;
  const bool tiny = r.one_in(3);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, 1 + (tiny ? r.below(3) : r.any_scale(70'000)));
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      const auto step = v.feed(piece);
      if (!step) return false;
      piece.remove_prefix(step->used);
      if (step->complete) {
        injected += step->injected;
        v.next();
      }
    }
  }
  return v.finish();
}

// Within an added line digits are as good as others: the comparison with the spans tells those apart, not the verifier.
bool within_a_line(const Stream& s, size_t from, size_t to) {
  return std::any_of(s.lines.begin(), s.lines.end(), [&](size_t l) { return from >= l && to <= l + kLineSize; });
}

// Each returns false if the stream has no place for this damage.
using Damage = std::function<bool(std::string&, const Stream&, Random&)>;
struct Kind {
  const char* name;
  Damage damage;
};

bool insert_line(std::string& b, size_t at, const std::string& line) {
  b.insert(std::min(at, b.size()), line);
  return true;
}

std::string spoiled_line(Random& r) {
  std::string line = a_line(r);
  switch (r.below(6)) {
    case 0: line[20] = 'A'; break;
    case 1: std::memset(line.data() + 16, '0', 32); break;
    case 2: std::memset(line.data() + 49, '0', 16); break;
    case 3: line.erase(30, 1); break;
    case 4: line.erase(68, 1); break;
    default: line[14] = '1'; break;
  }
  return line;
}

const Kind kKinds[] = {
    {"bytes doubled",
     [](std::string& b, const Stream&, Random& r) {
       const size_t at = r.below(b.size());
       b.insert(at, b.substr(at, 1 + r.any_scale(4000)));
       return true;
     }},
    {"a byte missing",
     [](std::string& b, const Stream&, Random& r) {
       b.erase(r.below(b.size()), 1);
       return true;
     }},
    {"bytes missing",
     [](std::string& b, const Stream&, Random& r) {
       b.erase(r.below(b.size()), 1 + r.any_scale(2000));
       return true;
     }},
    {"a bit changed",
     [](std::string& b, const Stream& s, Random& r) {
       const size_t at = r.below(b.size());
       if (within_a_line(s, at, at + 1)) return false;
       b[at] = static_cast<char>(b[at] ^ (1 << r.below(8)));
       return true;
     }},
    {"two blocks swapped",
     [](std::string& b, const Stream& s, Random& r) {
       const size_t n = 1 + r.any_scale(1400), at = r.below(b.size());
       if (at + 2 * n > b.size() || within_a_line(s, at, at + 2 * n)) return false;
       const std::string first = b.substr(at, n);
       b.replace(at, n, b.substr(at + n, n));
       b.replace(at + n, n, first);
       return true;
     }},
    {"two items swapped",
     [](std::string& b, const Stream& s, Random& r) {
       if (s.begins.size() < 3) return false;
       const size_t i = r.below(s.begins.size() - 2);
       const size_t from = s.begins[i], middle = s.begins[i + 1], to = s.begins[i + 2];
       std::rotate(b.begin() + static_cast<long>(from), b.begin() + static_cast<long>(middle), b.begin() + static_cast<long>(to));
       return true;
     }},
    {"a line anywhere",
     [](std::string& b, const Stream& s, Random& r) {
       const size_t at = r.below(b.size());
       return std::find(s.places.begin(), s.places.end(), at) == s.places.end() && insert_line(b, at, a_line(r));
     }},
    {"a line behind the empty line",
     [](std::string& b, const Stream& s, Random& r) {
       return !s.places.empty() && insert_line(b, s.places[r.below(s.places.size())] + 2, a_line(r));
     }},
    {"a second line", [](std::string& b, const Stream& s,
                         Random& r) { return !s.lines.empty() && insert_line(b, s.lines[r.below(s.lines.size())], a_line(r)); }},
    {"a line beside the application's own",
     [](std::string& b, const Stream& s, Random& r) {
       return !s.forbidden.empty() && insert_line(b, s.forbidden[r.below(s.forbidden.size())], a_line(r));
     }},
    {"a line that is malformed",
     [](std::string& b, const Stream& s, Random& r) {
       return !s.places.empty() && insert_line(b, s.places[r.below(s.places.size())], spoiled_line(r));
     }},
    {"the end missing",
     [](std::string& b, const Stream&, Random& r) {
       b.resize(b.size() - 1 - r.below(std::min<size_t>(b.size(), 100)));
       return true;
     }},
    {"bytes behind the end",
     [](std::string& b, const Stream&, Random& r) {
       b += word(r, 1 + r.below(20));
       return true;
     }},
};

Plan some_plan(uint64_t seed) {
  Pins pins;
  pins.fill(kAny);
  pins[kEnding] = kClose;
  Plan plan = make_plan(seed, seed, pins);
  plan.items = std::min<uint32_t>(plan.items, 12);
  plan.turn_at %= plan.items;
  return plan;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 2 && std::strcmp(argv[1], "--rounds") == 0 ? std::atoi(argv[2]) : 300;
  int passed = 0, failed = 0;
  const auto verdict = [&](const char* name, int right, int of) {
    std::printf("%s  %s: %d of %d\n", right == of && of > 0 ? "ok  " : "FAIL", name, right, of);
    (right == of && of > 0 ? passed : failed)++;
  };
  int right = 0;
  for (int i = 0; i < rounds; ++i) {
    Random r(static_cast<uint64_t>(i) + 1);
    const Plan plan = some_plan(r.next());
    const Stream s = sound(plan, r, i % 3 != 0);
    size_t seen = 0;
    right += accepted(plan, s.bytes, r, seen) && seen == s.injected;
  }
  verdict("a sound stream is accepted, its lines are counted", right, rounds);
  for (const Kind& kind : kKinds) {
    int found = 0, of = 0;
    for (uint64_t i = 0; of < rounds && i < static_cast<uint64_t>(rounds) * 20; ++i) {
      Random r(i * 7919 + 3);
      const Plan plan = some_plan(r.next());
      const Stream s = sound(plan, r, i % 3 != 0);
      std::string damaged = s.bytes;
      if (!kind.damage(damaged, s, r) || damaged == s.bytes) continue;
      ++of;
      size_t seen = 0;
      if (!accepted(plan, damaged, r, seen))
        ++found;
      else
        std::printf("      %s: not found, round %llu, %s\n", kind.name, static_cast<unsigned long long>(i), describe(plan).c_str());
    }
    verdict(kind.name, found, of);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
