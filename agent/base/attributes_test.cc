// SPDX-License-Identifier: Apache-2.0
#include "agent/base/attributes.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace clew::base {
namespace {

std::string text_of(const Attributes& attributes) {
  std::string text;
  for (size_t i = 0; i < attributes.size(); ++i) {
    const Attributes::View view = attributes[i];
    text.append(view.key).append("=");
    text.append(view.type == Attributes::Type::kString ? std::string(view.text) : std::to_string(view.integer)).append(" ");
  }
  return text;
}

Attributes two() {
  Attributes attributes;
  attributes.reserve(8, 100);  // with room, as a span has it
  attributes.add("method", "GET");
  attributes.add("status", 200);
  return attributes;
}

TEST(Attributes, ACopySharesUntilItIsAddedTo) {
  const Attributes original = two();
  Attributes copy = original;
  EXPECT_TRUE(copy.is_same_as(original));
  EXPECT_TRUE(original.is_shared());
  copy.add("evidence", "header");
  EXPECT_FALSE(copy.is_same_as(original));
  EXPECT_FALSE(original.is_shared());
  EXPECT_EQ(text_of(original), "method=GET status=200 ");
  EXPECT_EQ(text_of(copy), "method=GET status=200 evidence=header ");
}

TEST(Attributes, WhatIsAddedToTheOriginalIsNotInItsCopies) {
  Attributes original = two();
  const Attributes copy = original;
  original.add("evidence", "header");
  original.add_named("named", "value");
  EXPECT_FALSE(copy.is_same_as(original));
  EXPECT_EQ(text_of(original), "method=GET status=200 evidence=header named=value ");
  EXPECT_EQ(text_of(copy), "method=GET status=200 ");
  Attributes second = copy;
  second.add("other", "x");
  EXPECT_EQ(text_of(second), "method=GET status=200 other=x ");
  EXPECT_EQ(text_of(original), "method=GET status=200 evidence=header named=value ");
}

TEST(Attributes, ACopyOutlivesItsOriginal) {
  std::optional<Attributes> original = two();
  Attributes copy = *original;
  original.reset();
  EXPECT_FALSE(copy.is_shared());
  copy.add_named("a name of its own", int64_t{1});
  EXPECT_EQ(text_of(copy), "method=GET status=200 a name of its own=1 ");
}

TEST(Attributes, NothingIsSharedWithAnEmptyList) {
  const Attributes empty;
  Attributes copy = empty;
  EXPECT_FALSE(copy.is_shared());
  EXPECT_TRUE(copy.is_same_as(empty));
  copy.add("method", "GET");
  EXPECT_EQ(text_of(copy), "method=GET ");
  EXPECT_TRUE(empty.empty());
}

TEST(Attributes, AnAssignmentLetsGoOfWhatWasThere) {
  const Attributes first = two();
  Attributes other;
  other.add("other", 1);
  other = first;
  EXPECT_TRUE(other.is_same_as(first));
  other = Attributes();
  EXPECT_FALSE(first.is_shared());
  EXPECT_EQ(text_of(first), "method=GET status=200 ");
}

// For ThreadSanitizer: an exporter reads copies while the pipeline goes on with the original.
TEST(Attributes, CopiesAreReadAndLetGoInAnotherThread) {
  for (int round = 0; round < 200; ++round) {
    Attributes original = two();
    std::vector<Attributes> copies(8, original);
    std::thread reader([&copies] {
      for (Attributes& copy : copies) {
        EXPECT_EQ(text_of(copy), "method=GET status=200 ");
        copy = {};
      }
    });
    original.add("evidence", "header");
    Attributes another = original;
    another.add("more", 1);
    EXPECT_EQ(text_of(another), "method=GET status=200 evidence=header more=1 ");
    reader.join();
    EXPECT_EQ(text_of(original), "method=GET status=200 evidence=header ");
  }
}

}  // namespace
}  // namespace clew::base
