// SPDX-License-Identifier: Apache-2.0
// The books of one exporter: every span that it was given ends up in exactly one of these counters.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/counters.h"

namespace clew::exporter {

class Tally {
 public:
  /// `exporter`: the value of the label exporter, and of clew_lost_total's where after "exporter_".
  Tally(std::string_view exporter, base::Counters& counters);

  void exported(uint64_t spans) { exported_.add(spans); }
  /// Never reached the destination: the queue was full, or clew stopped.
  void dropped(uint64_t spans, std::string_view reason);
  /// The destination did not take them.
  void failed(uint64_t spans, std::string_view reason);
  /// One request or write; outcome: ok, retry, failed, partial.
  void request(std::string_view outcome);

 private:
  std::string name_;
  base::Counters& counters_;
  base::Counter& exported_;
  base::Counter& dropped_;
  base::Counter& failed_;
};

}  // namespace clew::exporter
