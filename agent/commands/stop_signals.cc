// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/stop_signals.h"

#include <signal.h>
#include <time.h>

#include <atomic>
#include <cstdint>

namespace clew::commands::stop_signals {
namespace {

// Who signals a process and then its group (timeout) sends two at once and means one.
constexpr int64_t kOneWishMs = 300;

// The handler touches nothing else.
std::atomic<int> latest = 0;
std::atomic<int64_t> first_ms = 0;
std::atomic<bool> is_ending = false;
std::atomic<bool> is_hurried = false;
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void note(int number) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t now_ms = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  if (latest == 0)
    first_ms = now_ms;
  else if (is_ending && now_ms - first_ms >= kOneWishMs)
    is_hurried = true;
  latest = number;
}

}  // namespace

void take() {
  struct sigaction action{};
  action.sa_handler = note;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction hangup{};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

int last() { return latest; }
void forget() { latest = 0; }
void ending() { is_ending = true; }
bool hurried() { return is_hurried; }

}  // namespace clew::commands::stop_signals
