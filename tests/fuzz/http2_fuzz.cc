// SPDX-License-Identifier: Apache-2.0
// libFuzzer target over the frames of HTTP/2: each input is a list of frames whose framing is right more often than not, so that what is
// behind it is reached. What comes out must be the same however it is cut, and after it the parser must find three requests in a row.
// Input: byte 0 says from where on the connection is seen (1: its middle). Then frames: a byte that says who sends it (0x80: the server)
// and how it is made (0x40: its length is not that of its payload), type, flags, stream, length of the payload (2 bytes), and that.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/http2/frame.h"
#include "protocols/http2/http2.h"
#include "protocols/testing/driver.h"

namespace {

using namespace clew::protocols;  // NOLINT(google-build-using-namespace): a program, not a header

constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
constexpr size_t kPieceMax = 61;  // of the cut conversation: a prime, so that cuts fall anywhere

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  bool is_empty() const { return bytes_.empty(); }
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto first = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return first;
  }
  std::string_view take(size_t count) {
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view bytes_;
};

void append_frame(std::string& out, size_t length, uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  for (int shift = 16; shift >= 0; shift -= 8) out.push_back(static_cast<char>(length >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(stream >> shift));
  out.append(payload);
}

void add(std::vector<testing::Piece>& turns, Sender sender, std::string_view bytes) {
  if (turns.empty() || turns.back().sender != sender) turns.push_back({testing::Piece::Kind::kBytes, sender, {}, 0});
  turns.back().bytes.append(bytes);
}

std::vector<testing::Piece> read_frames(Input& input, bool from_start) {
  std::vector<testing::Piece> turns;
  if (from_start) {
    add(turns, Sender::kClient, std::string(http2::kPreface).append(kSettings));
    add(turns, Sender::kServer, kSettings);
  }
  while (!input.is_empty()) {
    const uint8_t how = input.byte();
    const uint8_t type = input.byte();
    const uint8_t flags = input.byte();
    const uint32_t stream = input.byte();
    const size_t length = size_t{input.byte()} << 8U | input.byte();
    const std::string_view payload = input.take(length);
    std::string bytes;
    append_frame(bytes, (how & 0x40U) != 0 ? length : payload.size(), type, flags, stream, payload);
    add(turns, (how & 0x80U) != 0 ? Sender::kServer : Sender::kClient, bytes);
  }
  return turns;
}

std::vector<testing::Piece> cut(const std::vector<testing::Piece>& turns) {
  std::vector<testing::Piece> pieces;
  for (const testing::Piece& turn : turns)
    for (size_t at = 0; at < turn.bytes.size(); at += kPieceMax)
      pieces.push_back({turn.kind, turn.sender, turn.bytes.substr(at, kPieceMax), 0});
  return pieces;
}

/// And then a hole in the client's bytes, and three requests.
testing::Transcript play(bool from_start, const std::vector<testing::Piece>& pieces) {
  static testing::GuardedBytes memory(size_t{1} << 17);
  static const http2::Http2 protocol;
  testing::Driver driver(protocol, from_start, memory);
  driver.play(pieces);
  driver.lost(Sender::kClient, size_t{1} << 30);
  std::string requests;
  for (const uint32_t stream : {1001U, 1003U, 1005U}) append_frame(requests, 3, 1, 0x05, stream, "\x82\x86\x84");
  driver.bytes(Sender::kClient, requests);
  return driver.finish();
}

bool ends_with_three_requests(const testing::Transcript& transcript) {
  const std::vector<std::string>& lines = transcript.client;
  for (const auto& line : lines)
    if (line == "opaque") return true;  // nothing more is looked at
  return lines.size() >= 6 && std::count(lines.end() - 6, lines.end(), "head") == 3 &&
         std::count(lines.end() - 6, lines.end(), "end 0") == 3;
}

[[noreturn]] void fail(const char* what, const testing::Transcript& transcript) {
  std::fprintf(stderr, "%s: %s\n", what, transcript.violation.c_str());
  for (const auto& line : transcript.client) std::fprintf(stderr, "  client %s\n", line.c_str());
  for (const auto& line : transcript.server) std::fprintf(stderr, "  server %s\n", line.c_str());
  for (const auto& line : transcript.exchanges) std::fprintf(stderr, "  exchange %s\n", line.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Input input({reinterpret_cast<const char*>(data), size});
  const bool from_start = (input.byte() & 1U) == 0;
  const std::vector<testing::Piece> turns = read_frames(input, from_start);
  const testing::Transcript whole = play(from_start, turns);
  if (!whole.violation.empty()) fail("a piece per turn", whole);
  if (!ends_with_three_requests(whole)) fail("not found behind a hole", whole);
  const testing::Transcript pieces = play(from_start, cut(turns));
  if (!pieces.violation.empty() || pieces != whole) {
    std::fprintf(stderr, "as cut, %zu exchanges instead of %zu\n", pieces.exchanges.size(), whole.exchanges.size());
    fail("as cut", pieces);
  }
  return 0;
}
