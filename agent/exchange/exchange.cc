// SPDX-License-Identifier: Apache-2.0
#include "agent/exchange/exchange.h"

namespace clew::exchange {

Exchange& ExchangeQueue::push(uint64_t stream_id) {
  Exchange& exchange = queue_.emplace_back();
  exchange.stream_id = stream_id;
  return exchange;
}

Exchange* ExchangeQueue::open_request(uint64_t stream_id) {
  for (auto it = queue_.rbegin(); it != queue_.rend(); ++it)
    if (it->stream_id == stream_id) return it->request.complete ? nullptr : &*it;
  return nullptr;
}

Exchange* ExchangeQueue::open_response(uint64_t stream_id) {
  for (Exchange& exchange : queue_)
    if (exchange.stream_id == stream_id && !exchange.response.complete) return &exchange;
  return nullptr;
}

}  // namespace clew::exchange
