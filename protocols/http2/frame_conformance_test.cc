// SPDX-License-Identifier: Apache-2.0
// The frames of http2-frame-test-case: what is right is taken, what is wrong is refused.
#include <gtest/gtest.h>

#include "protocols/http2/corpora.h"
#include "protocols/http2/frame.h"
#include "protocols/http2/parser.h"

namespace clew::protocols::http2 {
namespace {

/// What a client says of bytes that its server sends behind its first SETTINGS.
Step::Kind parsed(std::string_view bytes) {
  Http2Parser parser(Http2Parser::Begin::kStart);
  const std::string all = std::string("\0\0\0\4\0\0\0\0\0", 9).append(bytes);
  for (size_t at = 0;;) {
    const Step step = parser.parse(Sender::kServer, std::string_view(all).substr(std::min(at, all.size())));
    if (step.kind != Step::Kind::kSkip) return step.kind;
    at += step.consumed + step.skip;
  }
}

TEST(FrameConformance, EveryFrame) {
  const auto files = corpus_files("http2-frame-test-case");
  if (files.empty()) GTEST_SKIP() << "no http2-frame-test-case below CLEW_CORPORA";
  size_t wrong = 0;
  for (const auto& file : files) {
    const auto test = read_json(file);
    const std::string wire = from_hex(test["wire"].get<std::string>());
    if (!test["error"].is_null()) {
      EXPECT_EQ(parsed(wire), Step::Kind::kInvalid) << file;
      ++wrong;
      continue;
    }
    const FrameHeader frame = read_frame_header(wire);
    EXPECT_EQ(frame.length, test["frame"]["length"].get<uint32_t>()) << file;
    EXPECT_EQ(static_cast<int>(frame.type), test["frame"]["type"].get<int>()) << file;
    EXPECT_EQ(frame.flags, test["frame"]["flags"].get<int>()) << file;
    EXPECT_EQ(frame.stream_id, test["frame"]["stream_identifier"].get<uint32_t>()) << file;
    EXPECT_EQ(frame_error(frame), "") << file;
    EXPECT_TRUE(is_plausible(frame)) << file;
    EXPECT_TRUE(follow_frames(wire, 2).ends_exactly) << file;
    for (size_t n = 0; n < kFrameHeaderLength; ++n) EXPECT_TRUE(may_become_plausible(std::string_view(wire).substr(0, n))) << file;
  }
  EXPECT_GT(wrong, 10U);
  EXPECT_GT(files.size(), wrong + 10);
}

}  // namespace
}  // namespace clew::protocols::http2
