// SPDX-License-Identifier: Apache-2.0
// The words of a connection's latest span, for the next one that says the same.
#pragma once

#include <cstdint>
#include <string>

#include "agent/base/attributes.h"
#include "agent/correlation/context.h"
#include "agent/exchange/exchange.h"
#include "exporter/span.h"

namespace clew::exchange {

/// Name, status and attributes follow from two heads, two sizes and the evidence, as long as both messages are whole. They are kept at
/// the second span in a row that has these in common, so that connections whose requests differ keep none.
class Words {
 public:
  /// Gives the span its words, if they are known; else remember() what it was given.
  bool give(const Exchange& exchange, correlation::Evidence evidence, exporter::Span& span) const {
    if (!known_ || !are_of(exchange, evidence)) return false;
    span.name = name_;
    span.status = status_;
    span.attributes = attributes_;
    return true;
  }
  void remember(const Exchange& exchange, correlation::Evidence evidence, const exporter::Span& span) {
    known_ = are_of(exchange, evidence);
    if (known_) {
      name_ = span.name;
      status_ = span.status;
      attributes_ = span.attributes;
      return;
    }
    attributes_ = {};
    // A head that the parser has not kept does not come again, and may be long.
    const bool may_return = exchange.request.head.is_shared() && exchange.response.head.is_shared();
    request_ = may_return ? exchange.request.head : nullptr;
    response_ = may_return ? exchange.response.head : nullptr;
    tail_ = may_return ? exchange.response_tail : nullptr;
    request_body_bytes_ = exchange.request.body_bytes;
    response_body_bytes_ = exchange.response.body_bytes;
    evidence_ = evidence;
  }

 private:
  bool are_of(const Exchange& exchange, correlation::Evidence evidence) const {
    return exchange.request.head && exchange.request.head == request_ && exchange.response.head && exchange.response.head == response_ &&
           exchange.response_tail == tail_ && !exchange.aborted && exchange.request.body_bytes == request_body_bytes_ &&
           exchange.response.body_bytes == response_body_bytes_ && exchange.request.complete && exchange.response.complete &&
           exchange.incomplete == 0 && exchange.injected == capture::Bytes::Injected::kNothing && evidence == evidence_ &&
           evidence != correlation::Evidence::kInferred;  // its confidence differs each time
  }

  protocols::HeadPointer request_;
  protocols::HeadPointer response_;
  protocols::HeadPointer tail_;
  uint64_t request_body_bytes_ = 0;
  uint64_t response_body_bytes_ = 0;
  correlation::Evidence evidence_ = correlation::Evidence::kNone;
  bool known_ = false;  // what follows is there
  exporter::StatusCode status_ = exporter::StatusCode::kUnset;
  std::string name_;
  base::Attributes attributes_;
};

}  // namespace clew::exchange
