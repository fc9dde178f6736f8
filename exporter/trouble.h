// SPDX-License-Identifier: Apache-2.0
// One clear line when a destination fails and one when it works again; nothing for each span in between.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "exporter/wiring.h"

namespace clew::exporter {

class Trouble {
 public:
  /// `who`: how messages begin, "--file spans.json".
  Trouble(std::string who, Log log) : who_(std::move(who)), log_(std::move(log)) {}

  /// Something failed. Told at once, but at most once in 10 s: a destination that comes and goes must not fill the screen.
  void begin(std::string_view why);
  void lost(uint64_t spans) { lost_ += spans; }
  /// It worked.
  void end();
  /// At the end of the program: says what was lost if the trouble never ended.
  void close();
  bool active() const { return active_; }

 private:
  void say(Severity severity, std::string_view text) const;

  std::string who_;
  Log log_;
  bool active_ = false;
  std::string told_;  // empty: nothing was said about this trouble
  std::chrono::steady_clock::time_point quiet_until_{};
  uint64_t lost_ = 0;
};

}  // namespace clew::exporter
