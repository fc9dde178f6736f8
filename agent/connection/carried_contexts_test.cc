// SPDX-License-Identifier: Apache-2.0
#include "agent/connection/carried_contexts.h"

#include <gtest/gtest.h>

namespace clew::connection {
namespace {

using capture::Direction;
using correlation::propagation::Sampled;

capture::Carried carried(uint64_t connection, uint32_t sequence, uint8_t id, Direction direction = Direction::kIngress) {
  return {.connection = connection,
          .direction = direction,
          .sequence = sequence,
          .sampled = id % 2 == 1,
          .trace_id = {id},
          .span_id = {id},
          .time_ns = 1};
}

TEST(CarriedContexts, BelongToTheRequestThatBeginsThere) {
  base::Counters counters;
  CarriedContexts kept(counters);
  kept.add(carried(7, 1000, 1));
  EXPECT_FALSE(kept.take(7, Direction::kIngress, 999));
  EXPECT_FALSE(kept.take(7, Direction::kEgress, 1000));
  EXPECT_FALSE(kept.take(8, Direction::kIngress, 1000));
  const auto context = kept.take(7, Direction::kIngress, 1000);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->in_tcp_option);
  EXPECT_EQ(context->trace_id[0], 1);
  EXPECT_EQ(context->sampled, Sampled::kYes);
  EXPECT_FALSE(kept.take(7, Direction::kIngress, 1000)) << "twice";
}

TEST(CarriedContexts, TheLatestFewOfAConnectionAreKept) {
  base::Counters counters;
  CarriedContexts kept(counters);
  for (uint8_t i = 0; i < 6; ++i) kept.add(carried(7, 100U * i, i));
  EXPECT_FALSE(kept.take(7, Direction::kIngress, 100));
  const auto context = kept.take(7, Direction::kIngress, 200);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->sampled, Sampled::kNo);
  EXPECT_TRUE(kept.take(7, Direction::kIngress, 500));
  kept.forget(7);
  EXPECT_FALSE(kept.take(7, Direction::kIngress, 400));
}

TEST(CarriedContexts, AreBoundedAndCounted) {
  base::Counters counters;
  CarriedContexts kept(counters);
  for (uint64_t i = 1; i <= CarriedContexts::kConnectionsMax + 10; ++i) kept.add(carried(i, 5, 1));
  EXPECT_LE(kept.size(), CarriedContexts::kConnectionsMax);
  EXPECT_EQ(counters.get("clew_propagation_ignored_total", "propagator=\"tcp_option\",reason=\"full\"").value(),
            CarriedContexts::kConnectionsMax);
  EXPECT_TRUE(kept.take(CarriedContexts::kConnectionsMax + 10, Direction::kIngress, 5));
}

}  // namespace
}  // namespace clew::connection
