// SPDX-License-Identifier: Apache-2.0
// A conversation as a text file: what each end sent, and what a parser must find in it. The format is in README.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "protocols/message.h"

namespace clew::protocols::testing {

/// One read's worth of bytes, a hole in the stream, or the end of it.
struct Piece {
  enum class Kind : uint8_t { kBytes, kLost, kClose };
  Kind kind = Kind::kBytes;
  Sender sender = Sender::kClient;
  std::string bytes;
  uint64_t lost = 0;  // kLost: how many bytes are missing
};

struct Capture {
  std::string name;
  std::vector<Piece> pieces;
  std::vector<std::string> client;     // expected lines of Transcript::client
  std::vector<std::string> server;     // and of Transcript::server
  std::vector<std::string> exchanges;  // "NAME key=value …": name and some attributes of each, in order

  /// Bodies hold whole messages. While framing is known that means nothing; behind a hole nobody could tell.
  bool has_decoys = false;

  bool expects_nothing() const { return client.empty() && server.empty() && exchanges.empty(); }
  /// All bytes of one sender.
  std::string bytes_of(Sender sender) const;
};

base::Result<Capture> parse_capture(std::string name, std::string_view text);

/// The *.capture files of a folder in order of names; an error names the file.
base::Result<std::vector<Capture>> load_captures(const std::string& folder);

}  // namespace clew::protocols::testing
