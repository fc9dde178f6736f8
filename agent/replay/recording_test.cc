// SPDX-License-Identifier: Apache-2.0
#include "agent/replay/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace clew::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RecordingWriter, AFullDeviceIsOneMessageAndCountedRecords) {
  base::Counters counters;
  std::vector<std::string> messages;
  auto made = RecordingWriter::create("/dev/full", {}, counters, [&](std::string_view text) { messages.emplace_back(text); });
  ASSERT_TRUE(made);
  RecordingWriter& writer = **made;
  const std::array<std::byte, 100> event{};
  for (int i = 0; i < 3; ++i) {
    writer.event(event);
    writer.flush();
  }
  writer.finish(1);
  EXPECT_THAT(messages, ElementsAre(HasSubstr("--record /dev/full: cannot write: No space left on device")));
  EXPECT_EQ(counters.lost("recording", "write_failed").value(), 4U);
}

}  // namespace
}  // namespace clew::replay
