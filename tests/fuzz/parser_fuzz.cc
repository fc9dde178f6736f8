// SPDX-License-Identifier: Apache-2.0
// libFuzzer target over every protocol: a conversation cut at random must give what it gives when each turn comes in one piece.
// Input: byte 0 chooses the protocol (low 7 bits) and whether the connection was joined in the middle (0x80). Then pieces: a byte that
// says who sends (0x80: the server) and how many bytes follow (low 7 bits; 0: all that is left), and the bytes.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/registry.h"
#include "protocols/testing/driver.h"

namespace {

using namespace clew::protocols;  // NOLINT(google-build-using-namespace): a program, not a header

std::vector<testing::Piece> read_pieces(std::string_view input) {
  std::vector<testing::Piece> pieces;
  while (!input.empty()) {
    const auto control = static_cast<uint8_t>(input.front());
    input.remove_prefix(1);
    size_t length = control & 0x7f;
    if (length == 0 || length > input.size()) length = input.size();
    const Sender sender = (control & 0x80) != 0 ? Sender::kServer : Sender::kClient;
    pieces.push_back({testing::Piece::Kind::kBytes, sender, std::string(input.substr(0, length)), 0});
    input.remove_prefix(length);
  }
  return pieces;
}

std::vector<testing::Piece> merge_turns(const std::vector<testing::Piece>& pieces) {
  std::vector<testing::Piece> turns;
  for (const testing::Piece& piece : pieces) {
    if (!turns.empty() && turns.back().sender == piece.sender)
      turns.back().bytes += piece.bytes;
    else
      turns.push_back(piece);
  }
  return turns;
}

testing::Transcript play(const Protocol& protocol, bool from_start, const std::vector<testing::Piece>& pieces) {
  static testing::GuardedBytes memory(size_t{1} << 16);
  testing::Driver driver(protocol, from_start, memory);
  driver.play(pieces);
  return driver.finish();
}

void dump(const char* name, const testing::Transcript& transcript) {
  std::fprintf(stderr, "%s: %s\n", name, transcript.violation.c_str());
  for (const auto& line : transcript.client) std::fprintf(stderr, "  client %s\n", line.c_str());
  for (const auto& line : transcript.server) std::fprintf(stderr, "  server %s\n", line.c_str());
  for (const auto& line : transcript.exchanges) std::fprintf(stderr, "  exchange %s\n", line.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ProtocolList protocols = make_protocols();
  if (size < 2) return 0;
  const Protocol& protocol = *protocols[(data[0] & 0x7f) % protocols.size()];
  const bool from_start = (data[0] & 0x80) == 0;
  const std::vector<testing::Piece> pieces = read_pieces({reinterpret_cast<const char*>(data) + 1, size - 1});

  const testing::Transcript cut = play(protocol, from_start, pieces);
  const testing::Transcript whole = play(protocol, from_start, merge_turns(pieces));
  if (!cut.violation.empty() || cut != whole) {
    dump("as cut", cut);
    dump("a piece per turn", whole);
    std::abort();
  }
  for (const Sender sender : {Sender::kClient, Sender::kServer})
    for (const testing::Piece& piece : pieces) protocol.classify(sender, piece.bytes);
  return 0;
}
