// SPDX-License-Identifier: Apache-2.0
#include "protocols/proxy_header.h"

#include <gtest/gtest.h>

#include <string>

namespace clew::protocols {
namespace {

using std::string_literals::operator""s;

TEST(ProxyHeader, ALineEndsWhereItDoes) {
  for (const std::string& line : {"PROXY TCP4 192.0.2.1 192.0.2.2 56324 80\r\n"s, "PROXY TCP6 ::1 ::1 1 2\r\n"s, "PROXY UNKNOWN\r\n"s,
                                  "PROXY UNKNOWN "s + std::string(91, 'x') + "\r\n"}) {
    EXPECT_EQ(find_proxy_header(line + "GET / HTTP/1.1\r\n").shown, line.size()) << line;
    for (size_t n = 1; n < line.size(); ++n) EXPECT_TRUE(find_proxy_header(line.substr(0, n)).need_more) << line.substr(0, n);
  }
}

TEST(ProxyHeader, ABlockHidesItsAddresses) {
  const std::string block = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x01\x0c"s;
  for (size_t n = 1; n < block.size(); ++n) EXPECT_TRUE(find_proxy_header(block.substr(0, n)).need_more) << n;
  EXPECT_EQ(find_proxy_header(block + "rest").shown, 16U);
  EXPECT_EQ(find_proxy_header(block).hidden, 0x10cU);
}

TEST(ProxyHeader, OtherBytesAreNone) {
  for (const std::string& bytes :
       {""s, "GET / HTTP/1.1\r\n"s, "PROXY / HTTP/1.1\r\n"s, "PROXY TCP4 HTTP/1.1\r\n"s, "PROXY TCP4 1.2.3.4\n"s, "PROXY UDP4 "s,
        "PROXY UNKNOWN "s + std::string(92, 'x') + "\r\n", "\r\n\r\nGET / HTTP/1.1\r\n"s, "\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0"s}) {
    const ProxyHeader header = find_proxy_header(bytes);
    EXPECT_TRUE(header.shown == 0 && !header.need_more) << bytes;
  }
}

}  // namespace
}  // namespace clew::protocols
