// SPDX-License-Identifier: Apache-2.0
#include "head.h"

#include "words.h"

namespace torture {
namespace {

// Lines of about `n` bytes together: many short ones, or one that is long.
std::string filler_lines(Random& random, size_t n, std::string_view eol) {
  std::string out;
  while (out.size() < n) {
    const size_t left = n - out.size();
    const size_t length = random.one_in(3) ? left : random.any_scale(left) % 8192;
    out += "X-" + word(random, random.between(1, 20)) + ": ";
    for (size_t done = 0; done < length; done += 32) out += word(random, 31) + (random.one_in(40) ? "," : ";");
    out += eol;
  }
  return out;
}

}  // namespace

void append_head(Item& item, const Head& head, Random& random) {
  std::string& out = item.bytes;
  const size_t begin = out.size();
  out += head.method + " " + head.target + " HTTP/1.1";
  item.marks.push_back(out.size() + 1);  // within the line end, if it has two bytes
  out += head.eol;
  std::string lines[4];
  lines[0] = "Host: " + head.host + std::string(head.eol);
  lines[1] = filler_lines(random, random.below(head.filler + 1), head.eol);
  lines[2] = head.framing;
  lines[3] = filler_lines(random, lines[1].size() < head.filler ? head.filler - lines[1].size() : 0, head.eol);
  if (random.one_in(10)) lines[random.below(4)] += nearly_context(random, head.eol);
  // Anywhere: behind the request line, between others, as the last line.
  const size_t at = head.own_context ? random.below(5) : 9;
  for (size_t i = 0; i < 5; ++i) {
    if (i == at) {
      item.marks.push_back(out.size() + random.below(14));
      out += own_context(random, head.eol);
    }
    if (i < 4) out += lines[i];
    item.marks.push_back(out.size());
  }
  for (size_t back = 0; back < 4; ++back) item.marks.push_back(out.size() - back);
  item.insert_at = head.own_context ? kNowhere : out.size();
  item.marks.push_back(out.size() + 1);
  out += head.eol;
  item.head_end = out.size();
  item.marks.push_back(out.size());
  item.marks.push_back(begin + random.below(out.size() - begin));
}

}  // namespace torture
