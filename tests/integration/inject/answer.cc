// SPDX-License-Identifier: Apache-2.0
#include "answer.h"

#include <cstdio>

#include "words.h"

namespace torture {
namespace {

std::string numbered(std::string_view status, uint32_t number) {
  return "HTTP/1.1 " + std::string(status) + "\r\nX-Number: " + std::to_string(number) + "\r\n";
}

std::string chunk(std::string_view data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

}  // namespace

std::string http_answer(Random& random, std::string_view status, uint32_t number, bool to_head) {
  std::string out;
  if (random.one_in(20)) out += numbered("103 Early Hints", number) + "\r\n";
  if (to_head) return out + numbered(status, number) + "Content-Length: 1234\r\n\r\n";
  std::string body = word(random, random.below(60) + 1);
  if (random.one_in(8)) body = decoy(random);
  switch (random.below(8)) {
    case 0: return out + numbered("204 No Content", number) + "\r\n";
    case 1: return out + numbered("304 Not Modified", number) + "Content-Length: 55\r\n\r\n";
    case 2: return out + numbered(status, number) + "Content-Length: 0\r\n\r\n";
    case 3: return out + numbered(status, number) + "Transfer-Encoding: chunked\r\n\r\n" + chunk(body) + chunk("ab") + "0\r\n\r\n";
    default: return out + numbered(status, number) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
}

std::string switch_answer(std::string_view status, uint32_t number) {
  std::string out = numbered(status, number);
  if (status.starts_with("101")) out += "Connection: Upgrade\r\nUpgrade: torture\r\n";
  return out + "\r\n";
}

std::string opaque_answer(Random& random, uint32_t number) {
  return "+" + std::to_string(number) + "\r\n" + (random.one_in(4) ? decoy(random) : std::string());
}

}  // namespace torture
