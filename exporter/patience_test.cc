// SPDX-License-Identifier: Apache-2.0
#include "exporter/patience.h"

#include <gtest/gtest.h>

#include <thread>

namespace clew::exporter {
namespace {

using namespace std::chrono_literals;

TEST(Patience, WhoSleepsIsWokenWhenThereIsLessOfIt) {
  Patience patience;
  const auto began = Patience::Clock::now();
  patience.end_at(began + 20s);
  std::jthread hurried([&] {
    std::this_thread::sleep_for(50ms);
    patience.end_at(Patience::Clock::now() + 50ms);
  });
  EXPECT_FALSE(patience.sleep(10s, /*wake_when_stopping=*/false));
  EXPECT_LT(Patience::Clock::now() - began, 5s);
}

TEST(Patience, StoppingWakesOnlyWhoWantsThat) {
  Patience patience;
  patience.end_at(Patience::Clock::now() + 20s);
  const auto began = Patience::Clock::now();
  EXPECT_TRUE(patience.sleep(10s, /*wake_when_stopping=*/true));
  EXPECT_LT(Patience::Clock::now() - began, 5s);
  EXPECT_TRUE(patience.sleep(30ms, /*wake_when_stopping=*/false));
  EXPECT_GE(Patience::Clock::now() - began, 30ms);
}

}  // namespace
}  // namespace clew::exporter
