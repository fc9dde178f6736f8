// SPDX-License-Identifier: Apache-2.0
// What the program lends to every exporter: counters, a place for messages, and what to do when a queue is full.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "agent/base/counters.h"
#include "exporter/exporter.h"

namespace clew::exporter {

enum class Severity : uint8_t { kInfo, kWarning, kError };

/// Shows one message to the user. Called from the threads of exporters, seldom.
using Log = std::function<void(Severity, std::string_view)>;

struct Wiring {
  base::Counters& counters;  // outlives the exporter
  Log log;
  WhenFull when_full = WhenFull::kDrop;
  /// Whoever read our pipe has gone (`clew trace | head`): called once, from the exporter's thread; may be empty.
  std::function<void()> on_reader_gone;
};

}  // namespace clew::exporter
