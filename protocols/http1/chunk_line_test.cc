// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/chunk_line.h"

#include <gtest/gtest.h>

#include <string>

namespace clew::protocols::http1 {
namespace {

using Status = ChunkLine::Status;

TEST(ChunkLine, ReadsTheSizeAndPassesOverExtensions) {
  for (const char* text : {"1a\r\n", "1A\n", "0001a \r\n", "1a;x=\"y;\"\r\n", "1a ; x\r\n"}) {
    const ChunkLine line = parse_chunk_line(std::string(text) + "rest", 0);
    EXPECT_EQ(line.status, Status::kComplete) << text;
    EXPECT_EQ(line.size, 26U) << text;
    EXPECT_EQ(line.length, std::string(text).size()) << text;
  }
}

TEST(ChunkLine, HalfALineNeedsMore) {
  for (const char* text : {"", "1", "1a", "1a;x", "1a\r"}) EXPECT_EQ(parse_chunk_line(text, 0).status, Status::kIncomplete) << text;
}

TEST(ChunkLine, RefusesWhatIsNoSize) {
  for (const char* text : {"\r\n", "g\r\n", "-1\r\n", "1x\r\n", "0x1\r\n", "1 1\r\n", "fffffffffffffffff\r\n", "ffffffffffffffff\r\n"})
    EXPECT_EQ(parse_chunk_line(text, 0).reason, "bad_chunk_size") << text;
}

TEST(ChunkLine, RefusesALineWithoutEnd) {
  EXPECT_EQ(parse_chunk_line("1;" + std::string(kChunkLineLengthMax, 'x'), 0).reason, "chunk_line_too_long");
  EXPECT_EQ(parse_chunk_line("1;" + std::string(kChunkLineLengthMax - 4, 'x') + "\r\n", 0).status, Status::kComplete);
}

}  // namespace
}  // namespace clew::protocols::http1
