// SPDX-License-Identifier: Apache-2.0
#include "item.h"

#include <algorithm>
#include <cstdio>

#include "answer.h"
#include "body.h"
#include "head.h"
#include "other_item.h"
#include "words.h"

namespace torture {
namespace {

constexpr std::string_view kMethods[] = {"GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "DELETE", "PATCH"};

size_t big_head_size(Random& random) {
  constexpr size_t kScales[] = {900, 1100, 2000, 4200, 9000, 16'500, 20'000, 33'000, 66'000, 69'000};
  return kScales[random.below(std::size(kScales))];
}

// What the head says about the body, and the body itself in `body`. `at` cannot be known before; the marks are moved later.
struct Body {
  std::string framing, bytes;
  std::vector<size_t> marks;
};

Body make_body(const Plan& plan, Random& random, Traffic traffic) {
  Body body;
  size_t size = body_size(random);
  // A window of some KiB passes little in a second (silly windows, timers): 5 MiB would say nothing more and take minutes.
  if (plan.is[kBuffers] == kTiny || plan.is[kReading] == kSlow || plan.is[kLife] == kLong) size = std::min(size, 10'000 + size % 20'000);
  if (traffic == kChunked) {
    body.framing = random.one_in(4) ? "transfer-encoding: Chunked\r\n" : "Transfer-Encoding: chunked\r\n";
    body.bytes = chunked_bytes(random, size, 0, body.marks);
    return body;
  }
  body.framing = "Content-Length: " + std::to_string(size) + "\r\n";
  body.bytes = body_bytes(random, size, 0, traffic == kLooksLike, body.marks);
  return body;
}

Traffic traffic_of(const Plan& plan, uint32_t index, Random& random) {
  const auto traffic = static_cast<Traffic>(plan.is[kTraffic]);
  if (traffic == kMixed) return static_cast<Traffic>(random.below(kMixed));
  if (traffic < kExpect) return traffic;
  // The others are among plain ones; those that end HTTP come at their place only.
  if (traffic == kUpgrade || traffic == kUpgradeEarly || traffic == kConnect) return index == plan.turn_at ? traffic : kPlain;
  return random.one_in(3) ? kPlain : traffic;
}

bool is_tunnel(const Plan& plan, uint32_t index) {
  const uint8_t t = plan.is[kTraffic];
  return (t == kUpgrade || t == kUpgradeEarly || t == kConnect) && index > plan.turn_at;
}

void add_body(const Plan& plan, Item& item, Head& head, Random& random, Traffic traffic) {
  const Body body = make_body(plan, random, traffic);
  head.framing += body.framing;
  append_head(item, head, random);
  for (const size_t m : body.marks) item.marks.push_back(item.bytes.size() + m);
  item.bytes += body.bytes;
}

void build(const Plan& plan, Item& item, Head& head, Random& random, Traffic traffic, uint32_t index) {
  const std::string_view status = random.one_in(10) ? "404 Not Found" : "200 OK";
  switch (traffic) {
    case kBody:
    case kLooksLike:
    case kChunked:
      head.method = random.one_in(3) ? "PUT" : "POST";
      add_body(plan, item, head, random, traffic);
      break;
    case kExpect:
      head.method = "POST";
      head.framing = "Expect: 100-continue\r\n";
      add_body(plan, item, head, random, random.one_in(2) ? kChunked : kLooksLike);
      if (item.head_end == item.bytes.size()) break;  // nothing to wait for
      item.interim_at = item.head_end;
      item.interim = "HTTP/1.1 100 Continue\r\n\r\n";
      break;
    case kExpectRefused:  // the body that was announced is never sent
      head.method = "POST";
      head.framing = "Content-Length: 1000\r\nExpect: 100-continue\r\n";
      append_head(item, head, random);
      item.barrier = true;
      item.answer = http_answer(random, "417 Expectation Failed", index, false);
      return;
    case kUpgrade:
    case kUpgradeEarly:
    case kUpgradeRefused:
      head.framing = "Connection: Upgrade\r\nUpgrade: torture\r\n";
      append_head(item, head, random);
      item.barrier = traffic != kUpgradeEarly;
      item.answer =
          traffic == kUpgradeRefused ? http_answer(random, "200 OK", index, false) : switch_answer("101 Switching Protocols", index);
      return;
    case kConnect:
    case kConnectRefused:
      head.method = "CONNECT";
      head.target = item.path.substr(1) + ":443";
      item.path.clear();
      append_head(item, head, random);
      item.barrier = true;
      item.answer =
          traffic == kConnect ? switch_answer("200 Connection established", index) : http_answer(random, "403 Forbidden", index, false);
      return;
    default:
      head.method = kMethods[random.below(std::size(kMethods))];
      if (head.method == "POST" || head.method == "PATCH") head.framing = std::string("Content-Length: 0") + std::string(head.eol);
      append_head(item, head, random);
  }
  item.answer = http_answer(random, status, index, head.method == "HEAD");
}

}  // namespace

Item make_item(const Plan& plan, uint32_t index) {
  Random random(mix(plan.seed, index + 1));
  if (plan.binary()) return other_item(plan, index, random);
  if (is_tunnel(plan, index)) return tunnel_item(index, random);
  const Traffic traffic = traffic_of(plan, index, random);
  Item item;
  Head head;
  char path[48];
  std::snprintf(path, sizeof path, "/t/%llx/%u", static_cast<unsigned long long>(plan.seed), index);
  item.path = path;
  head.target = item.path;
  if (random.one_in(20)) head.target = "http://localhost" + head.target;
  if (random.one_in(10)) head.target += "?q=" + word(random, 9);
  head.filler = random.any_scale(300);
  if (traffic == kBigHead) head.filler = big_head_size(random);
  if (traffic == kOwnContext) {
    head.own_context = true;
    if (random.one_in(2)) head.filler = big_head_size(random);
  }
  if (traffic == kLfOnly) head.eol = "\n";
  if (traffic == kEmptyLines)
    for (size_t n = random.between(1, 3); n > 0; --n) item.bytes += "\r\n";
  build(plan, item, head, random, traffic, index);
  if (plan.is[kTransport] == kUnix) item.insert_at = kNowhere;
  std::erase_if(item.marks, [&](size_t m) { return m == 0 || m >= item.bytes.size(); });
  std::sort(item.marks.begin(), item.marks.end());
  item.marks.erase(std::unique(item.marks.begin(), item.marks.end()), item.marks.end());
  return item;
}

}  // namespace torture
