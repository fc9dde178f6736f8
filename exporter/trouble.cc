// SPDX-License-Identifier: Apache-2.0
#include "exporter/trouble.h"

#include <fmt/core.h>

namespace clew::exporter {
namespace {

constexpr std::chrono::seconds kQuiet{10};

}  // namespace

void Trouble::say(Severity severity, std::string_view text) const {
  if (log_) log_(severity, fmt::format("{}: {}", who_, text));
}

void Trouble::begin(std::string_view why) {
  active_ = true;
  const auto now = std::chrono::steady_clock::now();
  if (told_ == why || now < quiet_until_) return;
  told_ = why;
  quiet_until_ = now + kQuiet;
  say(Severity::kError, why);
}

void Trouble::end() {
  active_ = false;
  if (told_.empty()) return;
  told_.clear();
  say(Severity::kInfo, lost_ == 0 ? "works again, no span was lost" : fmt::format("works again; {} spans were lost", lost_));
  lost_ = 0;
}

void Trouble::close() {
  if (active() && lost_ > 0) say(Severity::kError, fmt::format("{} spans were lost", lost_));
}

}  // namespace clew::exporter
