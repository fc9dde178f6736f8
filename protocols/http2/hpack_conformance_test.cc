// SPDX-License-Identifier: Apache-2.0
// The header blocks of the encoders in hpack-test-case: every field of every block, and what is known of them from the middle on.
#include <gtest/gtest.h>

#include <utility>

#include "protocols/http2/corpora.h"
#include "protocols/http2/hpack.h"

namespace clew::protocols::http2 {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
constexpr std::string_view kUnknown = "?";

class Collector final : public HpackDecoder::Visitor {
 public:
  void field(const HpackField& field) override {
    pairs.emplace_back(field.is_name_known ? field.name : kUnknown, field.is_value_known ? field.value : kUnknown);
  }
  Pairs pairs;
};

bool every_name(std::string_view /*name*/) { return true; }

Pairs expected(const nlohmann::json& fields) {
  Pairs pairs;
  for (const auto& field : fields)
    for (const auto& [name, value] : field.items()) pairs.emplace_back(name, value.get<std::string>());
  return pairs;
}

std::vector<std::filesystem::path> stories() {
  std::vector<std::filesystem::path> files = corpus_files("hpack-test-case");
  std::erase_if(files, [](const auto& path) { return path.parent_path().filename() == "raw-data"; });  // what the encoders were given
  return files;
}

TEST(HpackConformance, EveryBlockOfEveryEncoder) {
  const auto files = stories();
  if (files.empty()) GTEST_SKIP() << "no hpack-test-case below CLEW_CORPORA";
  size_t blocks = 0;
  for (const auto& file : files) {
    HpackDecoder decoder(true, every_name);
    const auto story = read_json(file);
    for (const auto& block : story["cases"]) {
      if (block.contains("header_table_size")) decoder.allow(block["header_table_size"].get<uint32_t>());
      Collector found;
      ASSERT_EQ(decoder.decode(from_hex(block["wire"].get<std::string>()), found), "") << file << " " << block["seqno"];
      ASSERT_EQ(found.pairs, expected(block["headers"])) << file << " " << block["seqno"];
      ++blocks;
    }
  }
  RecordProperty("blocks", static_cast<int>(blocks));
  EXPECT_GT(blocks, 1000U);
}

TEST(HpackConformance, FromTheMiddleOnAFieldIsRightOrUnknown) {
  const auto files = stories();
  if (files.empty()) GTEST_SKIP() << "no hpack-test-case below CLEW_CORPORA";
  size_t known = 0;
  size_t unknown = 0;
  for (const auto& file : files) {
    const auto story = read_json(file);
    const size_t middle = story["cases"].size() / 2;
    HpackDecoder decoder(false, every_name);
    for (size_t i = middle; i < story["cases"].size(); ++i) {
      const auto& block = story["cases"][i];
      Collector found;
      ASSERT_EQ(decoder.decode(from_hex(block["wire"].get<std::string>()), found), "") << file << " " << i;
      const Pairs right = expected(block["headers"]);
      ASSERT_EQ(found.pairs.size(), right.size()) << file << " " << i;
      for (size_t f = 0; f < right.size(); ++f) {
        ASSERT_TRUE(found.pairs[f].first == kUnknown || found.pairs[f].first == right[f].first) << file << " " << i;
        ASSERT_TRUE(found.pairs[f].second == kUnknown || found.pairs[f].second == right[f].second) << file << " " << i;
        ++(found.pairs[f].second == kUnknown ? unknown : known);
      }
    }
  }
  EXPECT_GT(unknown, 0U);
  EXPECT_GT(known, unknown);
}

}  // namespace
}  // namespace clew::protocols::http2
