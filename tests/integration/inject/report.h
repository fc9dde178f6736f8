// SPDX-License-Identifier: Apache-2.0
// What the client has seen: counters that its threads and processes share, and the first few complaints.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "plan.h"

namespace torture {

// Lies in memory that is mapped before the first fork.
struct Report {
  std::atomic<uint64_t> next_ordinal{0}, connections{0}, answered{0}, broken{0}, wrong_answers{0}, probe_failures{0};
  std::atomic<uint64_t> longest_us{0}, bytes_written{0}, added_bytes{0}, zerocopy_calls{0}, zerocopy_ids{0}, fionread_checks{0},
      info_checks{0};
  std::atomic<uint64_t> would_block{0}, partial_writes{0};
  std::atomic<bool> stop{false};

  static constexpr size_t kTexts = 6, kTextSize = 600;
  std::atomic<uint32_t> texts{0};
  char text[kTexts][kTextSize]{};
  char longest[kTextSize]{};

  void complain(std::atomic<uint64_t>& counter, const Plan& plan, std::string_view what);
  void waited(const Plan& plan, uint64_t us, uint32_t item);
  std::string json() const;
};

Report* shared_report();
void release(Report* report);

}  // namespace torture
