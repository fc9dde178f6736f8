// SPDX-License-Identifier: Apache-2.0
// What a connection's requests tell the correlator: their contexts, their ends of the wire, who made the call.
#include <fmt/format.h>

#include <algorithm>

#include "agent/connection/connections.h"
#include "agent/connection/entry.h"
#include "agent/correlation/execution_model.h"
#include "agent/correlation/propagation/extract.h"

namespace clew::connection {
namespace {

// What the kernel counts a direction's bytes from.
uint32_t kernel_base(const capture::Connection& connection, Direction direction) {
  const uint32_t base = connection.base[static_cast<size_t>(direction)];
  return connection.is_tls ? ~base : base;
}

}  // namespace

// The trace context that a request carries. Our own is a traceparent, whatever is read from others.
std::optional<correlation::RemoteContext> Connections::remote_context(const Step& step, bool injected) {
  if (!step.is_request || step.context_fields.empty()) return std::nullopt;
  namespace propagation = correlation::propagation;
  propagation::HeaderValues values;
  for (const protocols::HeaderField& field : step.context_fields)
    if (const auto name = propagation::recognise(field.name)) values.add(*name, field.value);
  static const Propagators kOurs = {propagation::Propagator::kTraceContext};
  propagation::ExtractResult result = propagation::extract(values, injected ? kOurs : propagators_);
  for (const propagation::Ignored& ignored : result.ignored)
    counters_
        .get("clew_propagation_ignored_total",
             fmt::format("propagator=\"{}\",reason=\"{}\"", propagation::name(ignored.propagator), propagation::name(ignored.reason)))
        .add();
  if (result.disagreeing)
    counters_.get("clew_propagation_disagreeing_total", fmt::format("propagator=\"{}\"", propagation::name(*result.disagreeing))).add();
  return std::move(result.context);
}

correlation::Caller Connections::caller_of(Entry& entry, Direction direction) {
  const Entry::Half& half = entry.half(direction);
  if (half.process_id != entry.model_of && !entry.info.passive) {
    entry.model_of = half.process_id;
    entry.model = correlation::model_of(*resource_of_(half.process_id, entry.place, half.stream.time_latest()));
  }
  return {.process_id = half.process_id,
          .thread_id = half.thread_id,
          .blocking = half.blocking,
          .model = half.execution.runtime != 0 ? correlation::model_of(half.execution.runtime) : entry.model,
          .execution = half.execution.words,
          .time_ns = half.stream.time_latest()};
}

void Connections::correlate(Entry& entry, Direction direction, Exchange& exchange, const correlation::RemoteContext* remote) {
  std::optional<correlation::RemoteContext> beside;
  if (carried_.size() != 0 && entry.info.has_base) {
    beside = carried_.take(entry.info.id, direction, kernel_base(entry.info, direction) + static_cast<uint32_t>(exchange.position));
    if (remote != nullptr) beside.reset();  // what the program says itself comes first
  }
  if (beside) {
    remote = &*beside;
    if (entry.place.is_client) exchange.injected = capture::Bytes::Injected::kAdded;
  }
  std::optional<correlation::WireKey> wire;
  if (entry.info.has_base)
    wire = {.request_base = entry.info.base[static_cast<size_t>(direction)],
            .response_base = entry.info.base[static_cast<size_t>(opposite(direction))],
            .position = static_cast<uint32_t>(exchange.position),
            .stream_id = static_cast<uint32_t>(exchange.stream_id)};
  if (entry.place.is_client)
    correlator_.request_sent(key_of(entry.place, exchange), caller_of(entry, direction), wire, remote,
                             exchange.injected == capture::Bytes::Injected::kAdded && remote != nullptr);
  else
    correlator_.request_received(key_of(entry.place, exchange), caller_of(entry, direction), wire, remote);
}

// The request itself may have been seen just before it was decided what goes beside it.
void Connections::carried(const capture::Carried& carried) {
  const auto found = by_id_.find(carried.connection);
  if (carried.direction == Direction::kEgress && carried.low_half && found != by_id_.end()) {
    Entry& entry = *found->second;
    Exchange* const latest = entry.place.is_client ? entry.exchanges.latest() : nullptr;
    const bool is_latest =
        latest != nullptr && entry.info.has_base &&
        CarriedContexts::is_at(carried, kernel_base(entry.info, Direction::kEgress) + static_cast<uint32_t>(latest->position));
    if (!is_latest) return counters_.get("clew_propagation_ignored_total", "propagator=\"tcp_option\",reason=\"late\"").add();
    latest->injected = capture::Bytes::Injected::kAdded;
    correlator_.request_carried(key_of(entry.place, *latest), CarriedContexts::context_of(carried));
    return;
  }
  carried_.add(carried);
}

void Connections::connecting(const capture::Connecting& connecting) {
  correlator_.connecting(connecting.connection,
                         {.process_id = connecting.process_id,
                          .thread_id = connecting.thread_id,
                          .model = correlation::model_of(*resource_of_(connecting.process_id, {}, connecting.time_ns)),
                          .execution = {connecting.turn},
                          .time_ns = connecting.time_ns});
}

void Connections::noted(const capture::RuntimeNote& note) {
  correlator_.noted(note.what, {.process_id = note.process_id,
                                .thread_id = note.thread_id,
                                .model = correlation::model_of(note.execution.runtime),
                                .execution = note.execution.words,
                                .time_ns = note.time_ns});
}

// An exchange that gives no span.
void Connections::drop(Entry& entry, const Exchange& exchange) {
  const uint64_t latest = std::max(entry.halves[0].stream.time_latest(), entry.halves[1].stream.time_latest());
  correlator_.closed(key_of(entry.place, exchange), latest);
}

}  // namespace clew::connection
