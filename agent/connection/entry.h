// SPDX-License-Identifier: Apache-2.0
// What the pipeline keeps of one connection.
#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include "agent/capture/source.h"
#include "agent/connection/connections.h"
#include "agent/connection/held_calls.h"
#include "agent/exchange/exchange.h"
#include "agent/exchange/span_builder.h"
#include "agent/stream/stream.h"
#include "protocols/protocol.h"

namespace clew::connection {

// For the files of this folder, which alone include it.
using capture::Direction;
using capture::opposite;
using exchange::Exchange;
using protocols::Sender;
using protocols::Step;

/// Was the request at `position` sent or read after `response_at`, the point that its direction had reached when a response passed?
/// Compared by 32 bits, as the kernel counts.
inline bool is_later(uint64_t position, uint64_t response_at) {
  return static_cast<int32_t>(static_cast<uint32_t>(position) - static_cast<uint32_t>(response_at)) >= 0;
}

inline correlation::RequestKey key_of(const exchange::Place& place, const exchange::Exchange& exchange) {
  return {.connection = place.connection, .position = exchange.position, .stream_id = exchange.stream_id};
}

struct Connections::Entry {
  struct Half {
    stream::Stream stream;
    bool awaits_peer = false;  // its parser waits for the other direction
    bool started = false;      // its stream stands at a known position
    bool aligned = false;      // a message has begun here; before that, what is missing belongs to nobody
    bool ended = false;
    bool ends_later = false;                                // once what awaits the peer is read
    uint64_t begins_at = 0;                                 // of the first byte of its protocol: behind a proxy's header
    uint64_t other_position = capture::Bytes::kNoPosition;  // of the latest bytes
    uint64_t message_at = capture::Bytes::kNoPosition;      // where the source says that a message begins
    uint64_t held_at = capture::Bytes::kNoPosition;         // of what awaits the peer
    uint32_t process_id = 0;                                // of the last call
    uint32_t thread_id = 0;
    bool blocking = false;
    capture::Bytes::Injected injected = capture::Bytes::Injected::kNothing;  // of the latest bytes
    capture::Execution execution;
    // Came while the parser waited for the other direction, and lies behind bytes that were passed over: only the parser can tell whether
    // those were a body. Nothing that comes after it may go before it.
    HeldCalls later;

    /// Goes on behind all that has come.
    void start_anew() {
      start_anew([](const HeldCalls::Call&) { return true; });
    }
    /// The same, but of what was put aside behind the first calls that `are_over` only.
    template <class Predicate>
    void start_anew(Predicate are_over) {
      uint64_t end = stream.known_end();
      while (!later.empty() && are_over(later.front())) end = std::max(end, later.take().end());
      awaits_peer = false;
      stream.restart_at(end);
    }
  };

  // Where requests and responses pair in their order: which of them do, once bytes are missing. All are positions of the responses.
  struct Turns {
    bool in_doubt = false;   // responses are on the way to requests that nobody has seen, or that were given up
    bool is_cut = false;     // in doubt: requests are missing. If the client pipelines, nobody can tell how many responses are on the way …
    bool pipelines = false;  // … it asks again before it is answered …
    bool overlap = false;    // … and while responses come: that does not even have a beginning
    bool assumed = false;    // that it does not pipeline, to end a doubt
    uint64_t doubt_until = 0;                         // what is asked where they stand behind this is asked after all of those have come
    uint64_t asked_at = capture::Bytes::kNoPosition;  // at the latest request
    uint64_t answered_to = 0;                         // behind the latest response to a request that was seen
  };

  capture::Connection info;
  Turns turns;
  std::array<Half, 2> halves;  // by capture::Direction
  const protocols::Protocol* protocol = nullptr;
  std::unique_ptr<protocols::Parser> parser;
  exchange::ExchangeTable exchanges;
  exchange::Place place;
  exchange::Words words;
  capture::Direction client_direction = capture::Direction::kIngress;  // where the client's bytes flow, once `protocol` is set
  bool mid_stream = false;                                             // a response may come whose request was never seen
  bool confirmed = false;     // seen from its start, or a response was seen: it does speak this protocol
  bool opaque = false;        // nothing more to parse
  bool interim_open = false;  // the response under way is a 1xx
  bool rejects_one = false;   // an invalid request was not followed by another yet: it may be answered, too
  bool waiting = false;       // in Connections::waiting_
  uint8_t invalid_count = 0;
  size_t memory_bytes = 0;  // as counted in Connections::memory_bytes_
  uint32_t model_of = 0;    // the process that `model` is of
  correlation::ExecutionModel model = correlation::ExecutionModel::kThreads;
  Entry* older = nullptr;
  Entry* newer = nullptr;

  Half& half(capture::Direction d) { return halves[static_cast<size_t>(d)]; }
  const Half& half(capture::Direction d) const { return halves[static_cast<size_t>(d)]; }
  protocols::Sender sender(capture::Direction d) const {
    return d == client_direction ? protocols::Sender::kClient : protocols::Sender::kServer;
  }
  capture::Direction direction(protocols::Sender s) const {
    return s == protocols::Sender::kClient ? client_direction : capture::opposite(client_direction);
  }
};

inline bool Connections::is_multiplexed(const Entry& entry) { return entry.parser != nullptr && entry.parser->is_multiplexed(); }

}  // namespace clew::connection
