// SPDX-License-Identifier: Apache-2.0
// One connection of the client, from connect to its end: batches of items out, their answers in.
#pragma once
#include <string>

#include "address.h"
#include "report.h"
#include "table.h"

namespace torture {

struct Target {
  uint16_t port4 = 0, port6 = 0;
  std::string unix_socket;
  uint64_t seed = 0;
  Pins pins{};
  bool evil = false;  // damages what it writes, now and then: the server must see it
};

void converse(const Target& target, uint64_t ordinal, Table& table, Report& report);

}  // namespace torture
