// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/forwarded.h"

#include <gtest/gtest.h>

namespace clew::protocols::http {
namespace {

TEST(Forwarded, TheFirstElementCounts) {
  const char* const field = "For=\"[2001:db8::1]:4711\"; host = a.example;proto=https, for=10.0.0.1;host=b";
  EXPECT_EQ(forwarded_parameter(field, "for"), "[2001:db8::1]:4711");
  EXPECT_EQ(forwarded_parameter(field, "host"), "a.example");
  EXPECT_EQ(forwarded_parameter(field, "proto"), "https");
  EXPECT_EQ(forwarded_parameter("for=1.2.3.4, host=b", "host"), "");
  EXPECT_EQ(forwarded_parameter("for=\"a,b;host=c\";host=d", "host"), "d");
}

TEST(Forwarded, TakesNonsenseWithoutHarm) {
  for (const char* field : {"", ";", ",", "=", "for", "for=", "for=\"", "\"\\", "host=\"\\\""})
    EXPECT_LE(forwarded_parameter(field, "for").size(), 1U) << field;
}

TEST(NodeAddress, LosesItsPort) {
  EXPECT_EQ(node_address("192.0.2.1:80"), "192.0.2.1");
  EXPECT_EQ(node_address("[2001:db8::1]:80"), "2001:db8::1");
  EXPECT_EQ(node_address("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(node_address("_hidden"), "_hidden");
  EXPECT_EQ(node_address("Unknown"), "");
}

TEST(List, TheFirstValueCounts) {
  EXPECT_EQ(first_of_list("10.0.0.1 , 10.0.0.2"), "10.0.0.1");
  EXPECT_EQ(first_of_list("a"), "a");
}

}  // namespace
}  // namespace clew::protocols::http
