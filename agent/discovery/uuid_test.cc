// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/uuid.h"

#include <gtest/gtest.h>

namespace clew::discovery {
namespace {

constexpr Uuid kDns = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

TEST(UuidV5, AgreesWithTheExampleOfRfc9562) { EXPECT_EQ(uuid_v5(kDns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2"); }

// Expected values by Python's uuid.uuid5(); the lengths cross SHA-1's padding and block borders (16 bytes of namespace come first).
TEST(UuidV5, AgreesWithAnotherImplementationAtBlockBorders) {
  EXPECT_EQ(uuid_v5(kDns, ""), "4ebd0208-8328-5d69-8c44-ec50939c0967");
  EXPECT_EQ(uuid_v5(kDns, std::string(39, 'x')), "2f80c0d1-1c62-579f-8d68-e61ad5592c9b");
  EXPECT_EQ(uuid_v5(kDns, std::string(40, 'x')), "e56fd57a-7633-5e1d-8f80-70e05ac413e5");
  EXPECT_EQ(uuid_v5(kDns, std::string(48, 'x')), "83993b6c-dea9-55ca-be5b-9989c85943fc");
  EXPECT_EQ(uuid_v5(kDns, std::string(1000, 'x')), "f6d12730-a238-51ed-bf69-3689855f9bbf");
}

}  // namespace
}  // namespace clew::discovery
