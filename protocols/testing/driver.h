// SPDX-License-Identifier: Apache-2.0
// Plays the agent to one parser: feeds it bytes, obeys its steps, writes down what it says, and checks that it keeps its contract.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/protocol.h"
#include "protocols/testing/capture.h"
#include "protocols/testing/guarded_bytes.h"

namespace clew::protocols::testing {

/// What came out of a conversation. Lines: "head", "interim", "end BODY_BYTES", "abort REASON", "invalid REASON", "opaque", "orphan".
struct Transcript {
  std::vector<std::string> client;
  std::vector<std::string> server;
  std::vector<std::string> exchanges;  // "NAME key=value …" with all attributes of the server span
  std::vector<std::string> heads[2];   // each head described on its own
  std::string violation;               // how the parser broke its contract; empty: it did not

  bool operator==(const Transcript&) const = default;
};

/// Bytes of a stream that the parser said need not be shown.
struct SkippedRange {
  Sender sender;
  uint64_t begin;
  uint64_t end;
};

class Driver {
 public:
  Driver(const Protocol& protocol, bool from_start, GuardedBytes& memory);

  void bytes(Sender sender, std::string_view bytes);
  /// So many bytes are missing here. Within what is skipped that means nothing.
  void lost(Sender sender, uint64_t count);
  void close(Sender sender);
  void play(const std::vector<Piece>& pieces);
  /// Passes over responses without request, closes both directions, and describes the exchanges.
  Transcript finish();

  const std::vector<SkippedRange>& skipped() const { return skipped_; }

 private:
  struct Stream {
    std::string pending;
    uint64_t position = 0;  // of pending in the stream
    uint64_t skip = 0;
    uint64_t skipped_to_close = 0;
    bool waiting = false;
    bool opaque = false;
    bool closed = false;
  };
  struct Exchange {
    uint64_t stream_id = 0;
    HeadPointer request;
    HeadPointer response;
    HeadPointer tail;
    ExchangeFacts facts;
  };

  void pump(Sender sender);
  void settle(Sender first);
  bool take(Sender sender, Step& step);
  void take_head(Sender sender, Step& step);
  void take_end(Sender sender, uint64_t stream_id, uint64_t body_bytes, HeadPointer tail);
  void take_abort(Step& step);
  void consume(Stream& stream, size_t count);
  void pass_over(Sender sender, uint64_t count);
  void resync(Sender sender);
  void violate(std::string what);
  Stream& stream(Sender sender) { return streams_[static_cast<size_t>(sender)]; }
  std::vector<std::string>& lines(Sender sender) { return sender == Sender::kClient ? transcript_.client : transcript_.server; }

  const Protocol& protocol_;
  std::unique_ptr<Parser> parser_;
  GuardedBytes& memory_;
  Stream streams_[2];
  Sender turn_ = Sender::kClient;  // who sent last
  std::deque<Exchange> exchanges_;
  std::vector<SkippedRange> skipped_;
  Transcript transcript_;
};

/// "NAME key=value …" of a description.
std::string to_line(const Description& description);

}  // namespace clew::protocols::testing
