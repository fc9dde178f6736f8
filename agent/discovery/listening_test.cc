// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/listening.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "agent/discovery/fake_proc.h"

namespace clew::discovery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::string_view kHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
std::string listen(int slot, const std::string& address, int port, uint64_t inode, const char* state = "0A") {
  return fmt::format(
      "{:4}: {}:{:04X} {}:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0000000000000000 100 0 0 10 0\n", slot,
      address, port, address, state, inode);
}
const std::string kAny4 = "00000000";
const std::string kAny6(32, '0');

TEST(ParseListeningSockets, BothFamilies) {
  SocketPorts sockets;
  EXPECT_FALSE(parse_listening_sockets(std::string(kHeader) + listen(0, kAny4, 80, 11) + listen(1, "0100007F", 65535, 12), sockets));
  EXPECT_FALSE(parse_listening_sockets(std::string(kHeader) + listen(0, kAny6, 8080, 13), sockets));
  EXPECT_THAT(sockets, UnorderedElementsAre(Pair(11, 80), Pair(12, 65535), Pair(13, 8080)));
}

TEST(ParseListeningSockets, EndsAtTheFirstOtherState) {
  SocketPorts sockets;
  EXPECT_TRUE(parse_listening_sockets(
      std::string(kHeader) + listen(0, kAny4, 80, 11) + listen(1, kAny4, 81, 12, "01") + listen(2, kAny4, 82, 13), sockets));
  EXPECT_THAT(sockets, ElementsAre(Pair(11, 80)));
}

TEST(ParseListeningSockets, DamagedTextGivesNothingWrong) {
  const std::string whole = std::string(kHeader) + listen(0, kAny4, 80, 11);
  for (size_t length = 0; length < whole.size(); ++length) {
    SocketPorts sockets;
    parse_listening_sockets(std::string_view(whole).substr(0, length), sockets);
    EXPECT_THAT(sockets, IsEmpty()) << length;
  }
  SocketPorts sockets;
  parse_listening_sockets(std::string(kHeader) + "0: x 0A\n 0: 00:ZZZZ 00 0A 0 0 0 0 0 7\n\n" + listen(0, kAny4, 80, 0), sockets);
  EXPECT_THAT(sockets, IsEmpty());
}

TEST(ListeningSockets, BelongToTheProcessesThatHoldThem) {
  const FakeProc proc;
  const std::string table = std::string(kHeader) + listen(0, kAny4, 80, 11) + listen(1, kAny4, 443, 12);
  for (const uint32_t id : {42U, 43U, 44U}) proc.add({.process_id = id});
  proc.add({.process_id = 50, .network_namespace = 99});
  for (const uint32_t id : {42U, 43U, 44U}) proc.write(fmt::format("{}/net/tcp", id), table);
  proc.write("42/net/tcp6", std::string(kHeader) + listen(0, kAny6, 80, 14));
  proc.write("50/net/tcp", std::string(kHeader) + listen(0, kAny4, 9999, 11));
  proc.link("42/fd/3", "socket:[11]");
  proc.link("42/fd/4", "socket:[12]");
  proc.link("42/fd/5", "socket:[14]");
  proc.link("42/fd/6", "/dev/null");
  proc.link("43/fd/9", "socket:[11]");
  proc.link("44/fd/0", "socket:[777]");
  proc.link("50/fd/3", "socket:[11]");
  const ProcFs fs = proc.fs();
  ListeningSockets sockets(fs);
  const auto any = [](uint16_t) { return true; };
  EXPECT_THAT(sockets.ports_of(42, any), ElementsAre(80, 443));
  EXPECT_THAT(sockets.ports_of(43, any), ElementsAre(80));
  EXPECT_THAT(sockets.ports_of(44, any), IsEmpty());
  EXPECT_THAT(sockets.ports_of(50, any), ElementsAre(9999)) << "the same inode number in another network namespace";
  EXPECT_THAT(sockets.ports_of(42, [](uint16_t port) { return port == 443; }), ElementsAre(443));
  EXPECT_THAT(sockets.ports_of(4242, any), IsEmpty());
}

TEST(ListeningSockets, FindARealOne) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t port = ntohs(address.sin_port);
  const ProcFs fs = ProcFs::of_this_machine();
  EXPECT_THAT(ListeningSockets(fs).ports_of(static_cast<uint32_t>(::getpid()), [&](uint16_t p) { return p == port; }), ElementsAre(port));
  ::close(fd);
  EXPECT_THAT(ListeningSockets(fs).ports_of(static_cast<uint32_t>(::getpid()), [&](uint16_t p) { return p == port; }), IsEmpty());
}

}  // namespace
}  // namespace clew::discovery
