// SPDX-License-Identifier: Apache-2.0
// What the server counts, by kind of traffic and by way of writing.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "plan.h"
#include "verifier.h"

namespace torture {

struct Row {
  std::atomic<uint64_t> requests{0}, injected{0}, left_alone{0}, forbidden{0};  // forbidden: nothing may be added, and nothing was
};

class Tally {
 public:
  void item(const Plan& plan, const Item& item, bool injected);
  void corrupted(const Plan& plan, const Mismatch& mismatch);
  std::string json() const;

  std::atomic<uint64_t> connections{0}, open{0}, ended_early{0}, bytes{0}, unknown{0};

 private:
  std::array<Row, 32> traffic_, writer_;
  std::atomic<uint64_t> corrupted_{0};
  mutable std::mutex lock_;
  std::string examples_;  // JSON objects; of the first hundred
};

std::string quoted(std::string_view bytes);

}  // namespace torture
