// SPDX-License-Identifier: Apache-2.0
// A request and its response on one connection, and the queue of those that are under way.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "agent/capture/source.h"
#include "protocols/message.h"

namespace clew::exchange {

/// Bits: why an exchange is not whole. Become clew.incomplete.
enum Incomplete : uint8_t {
  kAttachedMidStream = 1,
  kHeadTruncated = 2,
  kBytesLost = 4,
  kConnectionClosed = 8,
  kTracerStopped = 16,
};

struct Side {
  protocols::HeadPointer head;
  uint64_t first_byte_ns = 0;
  uint64_t last_byte_ns = 0;
  uint64_t body_bytes = 0;
  bool complete = false;
};

struct Exchange {
  uint64_t stream_id = 0;
  uint64_t position = 0;  // first byte of the request
  uint32_t process_id = 0;
  uint32_t thread_id = 0;
  Side request;
  Side response;
  std::string_view failure;  // a literal
  uint8_t incomplete = 0;    // of enum Incomplete
  capture::Bytes::Injected injected = capture::Bytes::Injected::kNothing;
  bool delivered = false;  // the span is out already: its response was complete before its request
};

/// Exchanges of one connection in the order of their requests. Requests and responses of one stream_id pair in order.
class ExchangeQueue {
 public:
  /// Most exchanges under way on one connection; more is a client that never reads.
  static constexpr size_t kMax = 4096;

  Exchange& push(uint64_t stream_id);
  /// The latest of that stream whose request is not complete, or null.
  Exchange* open_request(uint64_t stream_id);
  /// The earliest of that stream whose response is not complete, or null.
  Exchange* open_response(uint64_t stream_id);

  bool empty() const { return queue_.empty(); }
  bool full() const { return queue_.size() >= kMax; }
  size_t size() const { return queue_.size(); }
  Exchange& front() { return queue_.front(); }
  void pop_front() { queue_.pop_front(); }
  auto begin() { return queue_.begin(); }
  auto end() { return queue_.end(); }

 private:
  std::deque<Exchange> queue_;
};

}  // namespace clew::exchange
