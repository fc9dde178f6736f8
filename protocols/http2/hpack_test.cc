// SPDX-License-Identifier: Apache-2.0
// What HPACK's decoder says of blocks that are wrong, large, or seen from the middle on.
#include "protocols/http2/hpack.h"

#include <gtest/gtest.h>

#include <string>

#include "protocols/http2/fields.h"
#include "protocols/http2/huffman.h"

namespace clew::protocols::http2 {
namespace {

class Text final : public HpackDecoder::Visitor {
 public:
  void field(const HpackField& field) override {
    text.append(field.is_name_known ? field.name : "?").append("=").append(field.is_value_known ? field.value : "?").append(" ");
  }
  std::string text;
};

bool every_name(std::string_view /*name*/) { return true; }

std::string decoded(HpackDecoder& decoder, std::string_view block) {
  Text text;
  const std::string_view reason = decoder.decode(block, text);
  return reason.empty() ? text.text : std::string("!").append(reason);
}

TEST(Huffman, PaddingHasToBeTheBeginningOfEos) {
  std::string out;
  EXPECT_TRUE(decode_huffman("\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", out));
  EXPECT_EQ(out, "www.example.com");
  out.clear();
  EXPECT_FALSE(decode_huffman("\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\xff", out)) << "a whole byte";
  EXPECT_FALSE(decode_huffman(std::string_view("\x00\x00\x10", 3), out)) << "zeros";
  EXPECT_FALSE(decode_huffman("\xff\xff\xff\xff", out)) << "EOS itself";
}

TEST(Hpack, WhatIsNoBlock) {
  const std::string bad[] = {"\x80",
                             "\xbe",
                             std::string("\x00", 1),
                             std::string("\x00\x01", 2),
                             "\x7f\xff\xff\xff\xff\xff\x01",
                             "\x40\x05"
                             "abc",
                             "\x82\x20",
                             "\x3f\xff\xff\x7f",
                             std::string("\x00\x81\x00\x00", 4)};
  for (const std::string& block : bad) {
    HpackDecoder decoder(true, every_name);
    EXPECT_EQ(decoded(decoder, block).substr(0, 1), "!") << ::testing::PrintToString(block);
  }
}

TEST(Hpack, FromTheMiddleOnIndicesCountFromWhatWasInsertedSince) {
  HpackDecoder decoder(false, every_name);
  EXPECT_EQ(decoded(decoder, "\xbe\xbf\x82"), "?=? ?=? :method=GET ");
  EXPECT_EQ(decoded(decoder, "\x44\x02/a"), ":path=/a ");
  EXPECT_EQ(decoded(decoder, "\xbe\xbf"), ":path=/a ?=? ");
  EXPECT_EQ(decoded(decoder, "\x7f\x01\x01v"), "?=v ") << "named by an entry from before";
  EXPECT_EQ(decoded(decoder, "\xbe\xbf\xc0"), "?=v :path=/a ?=? ");
}

TEST(Hpack, AfterAHoleNothingIsKnown) {
  HpackDecoder decoder(true, every_name);
  EXPECT_EQ(decoded(decoder, "\x44\x02/a"), ":path=/a ");
  decoder.forget();
  EXPECT_EQ(decoded(decoder, "\xbe"), "?=? ");
}

TEST(Hpack, NamesThatNobodyAsksForLeaveNoText) {
  HpackDecoder decoder(true, is_wanted);
  const std::string secret(3000, 's');
  std::string block =
      "\x40\x06"
      "cookie\x7f\xb9\x16";
  block += secret;
  EXPECT_EQ(decoded(decoder, block), "");
  EXPECT_EQ(decoded(decoder, "\xbe"), "");
  EXPECT_LT(decoder.memory_bytes(), 3000U / 5 * 8 + 2000);
}

TEST(Hpack, ABombCostsTimeByItsLengthAndNoMemory) {
  HpackDecoder decoder(true, every_name);
  decoder.allow(UINT32_MAX);
  std::string block = "\x3f\xe1\xff\x03";  // a table of 64 KiB
  block += "\x40\x01x\x7f\xe1\xbb\x03";    // one entry of 57,000 bytes
  block += std::string(128 + 57'024, 'b').substr(0, 127 + 0x61 + (0x3b << 7) + (3 << 14));
  Text first;
  ASSERT_EQ(decoder.decode(block, first), "");
  class Count final : public HpackDecoder::Visitor {
   public:
    void field(const HpackField& /*field*/) override { ++count; }
    size_t count = 0;
  } count;
  EXPECT_EQ(decoder.decode(std::string(60'000, '\xbe'), count), "");
  EXPECT_EQ(count.count, 60'000U);
  EXPECT_LT(decoder.memory_bytes(), 512U * 1024);
}

}  // namespace
}  // namespace clew::protocols::http2
