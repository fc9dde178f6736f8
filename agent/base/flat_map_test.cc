// SPDX-License-Identifier: Apache-2.0
#include "agent/base/flat_map.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <unordered_map>

namespace clew::base {
namespace {

/// Few homes, so that entries stand in each other's way.
struct PoorHash {
  size_t operator()(uint32_t key) const { return key % 7; }
};

template <class Hash>
void behaves_like_unordered_map(uint32_t keys) {
  FlatMap<uint32_t, std::string, Hash> map;
  std::unordered_map<uint32_t, std::string> model;
  std::mt19937 generator(keys);
  const auto random = [&generator] { return static_cast<uint32_t>(generator()); };
  for (int i = 0; i < 20'000; ++i) {
    const uint32_t key = random() % keys;
    if (random() % 2 == 0) {
      const auto [entry, is_new] = map.try_emplace(key);
      ASSERT_EQ(is_new, model.try_emplace(key).second);
      ASSERT_EQ(entry->second, model[key]);
      entry->second = model[key] = std::to_string(i) + " is long enough for a string to allocate";
    } else if (const auto found = map.find(key); found != map.end()) {
      map.erase(found);
      model.erase(key);
    }
    ASSERT_EQ(map.size(), model.size());
    const uint32_t other = random() % keys;
    ASSERT_EQ(map.contains(other), model.contains(other));
    if (model.contains(other)) {
      ASSERT_EQ(map.find(other)->first, other);
      ASSERT_EQ(map[other], model[other]);
    }
  }
}

TEST(FlatMap, BehavesLikeUnorderedMap) {
  for (const uint32_t keys : {1U, 5U, 16U, 100U, 5000U}) behaves_like_unordered_map<std::hash<uint32_t>>(keys);
}

TEST(FlatMap, CollisionsLoseNothing) {
  for (const uint32_t keys : {8U, 12U, 100U}) behaves_like_unordered_map<PoorHash>(keys);
}

TEST(FlatMap, ErasesAllThatAreUnwanted) {
  FlatMap<uint32_t, int, PoorHash> map;
  for (uint32_t key = 0; key < 100; ++key) map[key] = static_cast<int>(key % 3);
  map.erase_if([](const auto& entry) { return entry.second != 0; });
  EXPECT_EQ(map.size(), 34U);
  for (uint32_t key = 0; key < 100; ++key) EXPECT_EQ(map.contains(key), key % 3 == 0) << key;
}

TEST(FlatMap, AnErasedValueIsGoneAtOnce) {
  FlatMap<uint32_t, std::shared_ptr<int>, PoorHash> map;
  const auto value = std::make_shared<int>(1);
  for (uint32_t key = 0; key < 10; ++key) map[key] = value;
  map.erase(map.find(3));
  EXPECT_EQ(value.use_count(), 10);
  EXPECT_EQ(map[3], nullptr);
}

TEST(FlatMap, AnEmptyOneFindsNothing) {
  const FlatMap<uint32_t, int, PoorHash> map;
  EXPECT_FALSE(map.contains(0));
  EXPECT_EQ(map.find(1), map.end());
}

}  // namespace
}  // namespace clew::base
