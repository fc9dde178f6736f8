// SPDX-License-Identifier: Apache-2.0
// A request and its response on one connection, and all those that are under way there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "agent/base/flat_map.h"
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
  Side request;
  Side response;
  protocols::HeadPointer response_tail;  // what followed the response's body, or null
  std::string_view failure;              // why the response is not whole, a literal
  uint32_t process_id = 0;
  bool is_reset = false;  // one end has given it up: `failure` is the error code's name
  bool reset_by_client = false;
  bool closed_by_client = false;  // with its connection
  bool aborted = false;           // both sides count as complete, but the response is not
  uint8_t incomplete = 0;         // of enum Incomplete
  capture::Bytes::Injected injected = capture::Bytes::Injected::kNothing;
  bool delivered = false;  // the span is out already: its response was complete before its request
  bool touched = false;    // in ExchangeTable::take_touched()
};

/// Exchanges of one connection in the order of their requests. Requests and responses of the stream 0 pair in order; any other stream has
/// one exchange, and is found by its id.
class ExchangeTable {
 public:
  /// Most exchanges under way on one connection, in order and by ids; more is a client that never reads.
  static constexpr size_t kMax = 4096;
  static constexpr size_t kStreamsMax = 16'384;
  /// Of the requests' heads, those that are shared counted each time: a few bytes on the wire can name a long path again.
  static constexpr size_t kHeadBytesMax = size_t{4} << 20;

  ExchangeTable() = default;
  ExchangeTable(const ExchangeTable&) = delete;
  ExchangeTable& operator=(const ExchangeTable&) = delete;
  ~ExchangeTable();

  /// The reference holds until erase().
  Exchange& push(uint64_t stream_id, protocols::HeadPointer request);
  void erase(Exchange& exchange);
  /// The latest of that stream whose request is not complete, or null.
  Exchange* open_request(uint64_t stream_id);
  /// The earliest of that stream whose response is not complete, or null.
  Exchange* open_response(uint64_t stream_id);
  /// The earliest of that stream, or null.
  Exchange* of(uint64_t stream_id);

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t head_bytes() const { return head_bytes_; }
  size_t memory_bytes() const {
    return (size_ + spares_) * sizeof(Node) + by_stream_.capacity() * (sizeof(uint64_t) + sizeof(Node*)) + head_bytes_;
  }
  Exchange& front() { return first_->exchange; }
  /// The one that began last, or null.
  Exchange* latest() { return last_ != nullptr ? &last_->exchange : nullptr; }

  /// Something has changed: it may be over. Those of which that was said, in that order, are taken one by one; null: no more.
  void touch(Exchange& exchange);
  Exchange* take_touched();

  /// Calls `visit` with each, in their order; it may not erase.
  template <class Visitor>
  void for_each(Visitor visit) {
    for (Node* node = first_; node != nullptr; node = node->later) visit(node->exchange);
  }

 private:
  struct Node {
    Exchange exchange;
    Node* earlier = nullptr;
    Node* later = nullptr;
    Node* touched_later = nullptr;
  };
  static constexpr size_t kSparesMax = 2;
  static Node& node_of(Exchange& exchange) { return *reinterpret_cast<Node*>(&exchange); }  // its first member

  Node* first_ = nullptr;
  Node* last_ = nullptr;
  Node* touched_first_ = nullptr;
  Node* touched_last_ = nullptr;
  Node* spare_ = nullptr;  // nodes for the next ones, chained by `later`
  size_t spares_ = 0;
  size_t size_ = 0;
  size_t head_bytes_ = 0;
  base::FlatMap<uint64_t, Node*, std::hash<uint64_t>> by_stream_;  // those with an id
};

}  // namespace clew::exchange
