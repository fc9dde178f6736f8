// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/resource_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace clew::discovery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(ParseResourceAttributes, PairsInOrder) {
  const auto list = parse_resource_attributes("service.namespace=shop, service.version = 1.2 ,deployment.environment.name=prod");
  ASSERT_TRUE(list);
  EXPECT_THAT(*list,
              ElementsAre(Pair("service.namespace", "shop"), Pair("service.version", "1.2"), Pair("deployment.environment.name", "prod")));
  EXPECT_EQ(find_attribute(*list, "service.version"), "1.2");
  EXPECT_EQ(find_attribute(*list, "service"), "");
}

TEST(ParseResourceAttributes, EmptyIsNothing) {
  EXPECT_THAT(parse_resource_attributes("").value(), IsEmpty());
  EXPECT_THAT(parse_resource_attributes(" , ,").value(), IsEmpty());
}

TEST(ParseResourceAttributes, PercentEncodingIsUndone) {
  EXPECT_THAT(parse_resource_attributes("a=x%2Cy%3dz,b%3D=%25,c=%E2%82%AC").value(),
              ElementsAre(Pair("a", "x,y=z"), Pair("b=", "%"), Pair("c", "€")));
}

TEST(ParseResourceAttributes, AValueMayHoldAnEqualsSignAndBeEmpty) {
  EXPECT_THAT(parse_resource_attributes("a=b=c,d=").value(), ElementsAre(Pair("a", "b=c"), Pair("d", "")));
}

TEST(ParseResourceAttributes, TheLastOfARepeatedKeyCounts) {
  EXPECT_THAT(parse_resource_attributes("a=1,b=2,a=3").value(), ElementsAre(Pair("a", "3"), Pair("b", "2")));
}

TEST(ParseResourceAttributes, AnyErrorDiscardsAllAndSaysWhere) {
  for (const char* text : {"a=1,b", "a=1,=2", "a=%", "a=%4", "a=%zz", "a%=1", "a=1,b=%2"}) {
    const auto list = parse_resource_attributes(text);
    ASSERT_FALSE(list) << text;
    EXPECT_THAT(list.error().message, HasSubstr("position"));
  }
  EXPECT_THAT(parse_resource_attributes("a=1,b=%2").error().message, HasSubstr("position 4"));
}

}  // namespace
}  // namespace clew::discovery
