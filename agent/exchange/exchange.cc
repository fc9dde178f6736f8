// SPDX-License-Identifier: Apache-2.0
#include "agent/exchange/exchange.h"

#include <utility>

namespace clew::exchange {

ExchangeTable::~ExchangeTable() {
  for (Node* chain : {first_, spare_})
    while (chain != nullptr) delete std::exchange(chain, chain->later);
}

Exchange& ExchangeTable::push(uint64_t stream_id, protocols::HeadPointer request) {
  Node* node = spare_;
  if (node != nullptr) {
    spare_ = node->later;
    --spares_;
    *node = {};
  } else {
    node = new Node;
  }
  node->exchange.stream_id = stream_id;
  if (request) head_bytes_ += request.get()->memory_bytes();
  node->exchange.request.head = std::move(request);
  node->earlier = last_;
  (last_ != nullptr ? last_->later : first_) = node;
  last_ = node;
  ++size_;
  if (stream_id != 0) by_stream_[stream_id] = node;
  return node->exchange;
}

void ExchangeTable::erase(Exchange& exchange) {
  Node& node = node_of(exchange);
  if (exchange.touched) {  // rarely: only where all are closed
    Node** link = &touched_first_;
    Node* before = nullptr;
    for (; *link != nullptr && *link != &node; link = &(*link)->touched_later) before = *link;
    if (*link == &node) *link = node.touched_later;
    if (touched_last_ == &node) touched_last_ = before;
  }
  (node.earlier != nullptr ? node.earlier->later : first_) = node.later;
  (node.later != nullptr ? node.later->earlier : last_) = node.earlier;
  --size_;
  if (exchange.request.head) head_bytes_ -= exchange.request.head.get()->memory_bytes();
  if (exchange.stream_id != 0)
    if (const auto found = by_stream_.find(exchange.stream_id); found != by_stream_.end() && found->second == &node)
      by_stream_.erase(found);
  if (spares_ >= kSparesMax) {
    delete &node;
    return;
  }
  node.exchange = {};  // its heads go now
  node.later = spare_;
  spare_ = &node;
  ++spares_;
}

Exchange* ExchangeTable::of(uint64_t stream_id) {
  if (stream_id != 0) {
    const auto found = by_stream_.find(stream_id);
    return found == by_stream_.end() ? nullptr : &found->second->exchange;
  }
  for (Node* node = first_; node != nullptr; node = node->later)
    if (node->exchange.stream_id == 0) return &node->exchange;
  return nullptr;
}

Exchange* ExchangeTable::open_request(uint64_t stream_id) {
  if (stream_id != 0) {
    Exchange* const exchange = of(stream_id);
    return exchange == nullptr || exchange->request.complete ? nullptr : exchange;
  }
  for (Node* node = last_; node != nullptr; node = node->earlier)
    if (node->exchange.stream_id == 0) return node->exchange.request.complete ? nullptr : &node->exchange;
  return nullptr;
}

Exchange* ExchangeTable::open_response(uint64_t stream_id) {
  if (stream_id != 0) {
    Exchange* const exchange = of(stream_id);
    return exchange == nullptr || exchange->response.complete ? nullptr : exchange;
  }
  for (Node* node = first_; node != nullptr; node = node->later)
    if (node->exchange.stream_id == 0 && !node->exchange.response.complete) return &node->exchange;
  return nullptr;
}

void ExchangeTable::touch(Exchange& exchange) {
  if (std::exchange(exchange.touched, true)) return;
  Node& node = node_of(exchange);
  node.touched_later = nullptr;
  (touched_last_ != nullptr ? touched_last_->touched_later : touched_first_) = &node;
  touched_last_ = &node;
}

Exchange* ExchangeTable::take_touched() {
  Node* const node = touched_first_;
  if (node == nullptr) return nullptr;
  touched_first_ = node->touched_later;
  if (touched_first_ == nullptr) touched_last_ = nullptr;
  node->exchange.touched = false;
  return &node->exchange;
}

}  // namespace clew::exchange
