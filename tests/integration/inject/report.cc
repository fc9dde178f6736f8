// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "tally.h"

namespace torture {
namespace {

std::string where(const Plan& plan) { return " (connection " + std::to_string(plan.ordinal) + ", " + describe(plan) + ")"; }

}  // namespace

Report* shared_report() {
  void* at = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) std::abort();
  return new (at) Report;
}

void release(Report* report) { munmap(report, sizeof *report); }

void Report::complain(std::atomic<uint64_t>& counter, const Plan& plan, std::string_view what) {
  ++counter;
  const uint32_t n = texts++;
  if (n < kTexts) std::snprintf(text[n], kTextSize, "%.*s%s", static_cast<int>(what.size()), what.data(), where(plan).c_str());
}

void Report::waited(const Plan& plan, uint64_t us, uint32_t item) {
  uint64_t most = longest_us;
  while (us > most)
    if (longest_us.compare_exchange_weak(most, us)) {
      std::snprintf(longest, kTextSize, "item %u%s", item, where(plan).c_str());
      break;
    }
}

std::string Report::json() const {
  std::string out = "{";
  const auto field = [&](const char* name, uint64_t value) { out += std::string("\"") + name + "\": " + std::to_string(value) + ", "; };
  field("connections", connections);
  field("requests", answered);
  field("broken", broken);
  field("wrong_answers", wrong_answers);
  field("probe_failures", probe_failures);
  field("longest_wait_us", longest_us);
  field("bytes_written", bytes_written);
  field("added_bytes", added_bytes);
  field("zerocopy_calls", zerocopy_calls);
  field("zerocopy_ids", zerocopy_ids);
  field("fionread_checks", fionread_checks);
  field("tcp_info_checks", info_checks);
  field("would_block", would_block);
  field("partial_writes", partial_writes);
  out += "\"longest_wait\": " + quoted(longest) + ", \"complaints\": [";
  for (uint32_t i = 0; i < texts && i < kTexts; ++i) out += (i == 0 ? "" : ", ") + quoted(text[i]);
  return out + "]}";
}

}  // namespace torture
