// SPDX-License-Identifier: Apache-2.0
// The pipeline's heart: connections by id, their streams and parser, and the exchanges that end as spans.
// Driven by a source through capture::Sink, in one thread. Time is what the source says.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "agent/base/counters.h"
#include "agent/base/flat_map.h"
#include "agent/capture/source.h"
#include "agent/connection/carried_contexts.h"
#include "agent/correlation/correlator.h"
#include "agent/correlation/propagation/propagator.h"
#include "agent/exchange/exchange.h"
#include "agent/exchange/span_builder.h"
#include "agent/stream/stream.h"
#include "exporter/span.h"
#include "protocols/registry.h"

namespace clew::connection {

class Connections final : public capture::Sink {
 public:
  using Propagators = std::vector<correlation::propagation::Propagator>;  // formats of trace context, in the order of preference

  struct Limits {
    size_t connections_max = 65536;
    uint64_t early_response_wait_ns = 300'000'000;  // how long a span whose response is complete waits for the end of its request
    // A client can be interrupted between its send and the event of it, while the server answers already: how long the server's span waits.
    uint64_t late_join_wait_ns = 20'000'000;
    size_t held_max = 65536;
    size_t held_bytes_max = size_t{64} << 20;
    size_t memory_max = size_t{512} << 20;  // of connections with their streams, parsers and exchanges
    uint64_t spans_max = UINT64_MAX;        // no more are made, or counted (--count)
  };
  /// The Resource of a process (or of a passive connection's server address, with process_id 0) at that time.
  using ResourceOf =
      std::function<std::shared_ptr<const exporter::Resource>(uint32_t process_id, const exchange::Place& place, uint64_t time_ns)>;

  Connections(const protocols::ProtocolList& protocols, const exchange::SpanBuilder& builder, ResourceOf resource_of,
              correlation::Correlator& correlator, Propagators propagators, base::Counters& counters, Limits limits);
  ~Connections() override;

  void connection(const capture::Connection& connection) override;
  void bytes(const capture::Bytes& bytes) override;
  void end(const capture::End& end) override;
  void connecting(const capture::Connecting& connecting) override;
  void noted(const capture::RuntimeNote& note) override;
  void carried(const capture::Carried& carried) override;

  /// Another program runs in the process now, or under its number.
  void new_program(uint32_t process_id) { correlator_.new_program(process_id); }
  void runtime_changed(uint32_t process_id, uint64_t time_ns) { correlator_.runtime_changed(process_id, time_ns); }
  /// Delivers what has waited long enough. Call every few hundred milliseconds of source time.
  void tick(uint64_t now_ns);
  /// Ends everything that is open: the source is over or clew stops.
  void finish(uint64_t now_ns);
  /// The spans finished since the last call.
  std::vector<exporter::Span> take_spans() {
    release(latest_ns_);
    if (spans_.empty()) return {};
    std::vector<exporter::Span> next;
    // About as many again, or as lately; a growing list would move them all.
    next.reserve(std::min(kSpansReservedMax, std::max(spans_.size() + spans_.size() / 4, spans_.capacity() - spans_.capacity() / 8)));
    return std::exchange(spans_, std::move(next));
  }
  size_t spans_waiting() const { return spans_.size(); }
  size_t size() const { return by_id_.size(); }
  /// Of connections with all that is under way on them.
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  static constexpr size_t kSpansReservedMax = 1024;
  static constexpr size_t kEndedMax = 1024;
  static constexpr uint64_t kClockSetBackNs = 1'000'000'000;  // by less it is only late
  struct Entry;
  using Direction = capture::Direction;

  /// A time that is still to come: the machine's clock was set back since. What waits from then on would wait for as long.
  static bool is_ahead(uint64_t time_ns, uint64_t now_ns) { return time_ns > now_ns && time_ns - now_ns > kClockSetBackNs; }
  bool is_over(uint64_t id) const { return std::ranges::find(ended_, id) != ended_.end(); }
  Entry* find(const capture::Bytes& bytes);
  void take(Entry& entry, const capture::Bytes& bytes);
  static bool is_another(const Entry& entry, const capture::Bytes& bytes);
  bool put_aside(Entry& entry, const capture::Bytes& bytes);
  static bool loses_by_holes(const Entry& entry, Direction direction);
  bool go_on(Entry& entry, Direction direction);
  void feed(Entry& entry, const capture::Bytes& bytes);
  void pump(Entry& entry, Direction direction);
  bool pass_proxy_header(Entry& entry, Direction direction);
  bool classify(Entry& entry, Direction direction);
  bool take_step(Entry& entry, Direction direction, protocols::Step step);
  void on_head(Entry& entry, Direction direction, protocols::Step& step, uint64_t position, uint64_t first_byte_ns,
               const correlation::RemoteContext* remote);
  std::optional<correlation::RemoteContext> remote_context(const protocols::Step& step, bool injected);
  correlation::Caller caller_of(Entry& entry, Direction direction);
  void correlate(Entry& entry, Direction direction, exchange::Exchange& exchange, const correlation::RemoteContext* remote);
  void drop(Entry& entry, const exchange::Exchange& exchange);
  void on_end(Entry& entry, Direction direction, protocols::Step& step, uint64_t body_bytes);
  void on_abort(Entry& entry, Direction direction, protocols::Step& step);
  void end_at_close(Entry& entry, Direction direction);
  static bool is_multiplexed(const Entry& entry);
  static uint64_t body_so_far(const Entry& entry, protocols::Sender sender, const exchange::Exchange& exchange);
  static bool lacks_shown(const Entry& entry, protocols::Sender sender);
  void on_invalid(Entry& entry, Direction direction, std::string_view reason);
  void on_hole(Entry& entry, Direction direction, uint64_t lost_bytes);
  void doubt_turns(Entry& entry, Direction direction);
  bool keeps_turn(Entry& entry, Direction direction);
  void give_up(Entry& entry);
  void close(Entry& entry, uint8_t incomplete, std::string_view failure, uint64_t time_ns = 0, bool by_client = false);
  void count_cut_heads(const Entry& entry);
  void finish_direction(Entry& entry, Direction direction);
  void deliver_ready(Entry& entry);
  void deliver(Entry& entry, exchange::Exchange& exchange, uint64_t end_ns);
  void release(uint64_t now_ns);
  void forget(uint64_t id);
  void evict_oldest(std::string_view reason);
  void account(Entry& entry);

  const protocols::ProtocolList& protocols_;
  const exchange::SpanBuilder& builder_;
  ResourceOf resource_of_;
  correlation::Correlator& correlator_;
  Propagators propagators_;
  base::Counters& counters_;
  base::Counter& unsampled_;
  Limits limits_;
  base::FlatMap<uint64_t, std::unique_ptr<Entry>, std::hash<uint64_t>> by_id_;
  size_t memory_bytes_ = 0;                  // of all of them
  std::array<uint64_t, kEndedMax> ended_{};  // the latest that have ended: what their peer had sent before it reset them may still be read
  size_t ended_next_ = 0;
  Entry* oldest_ = nullptr;  // list in order of last use
  Entry* newest_ = nullptr;
  std::vector<uint64_t> waiting_;  // connections with an exchange that waits for the end of its request
  struct Held {
    exporter::Span span;
    correlation::RequestKey key;
    base::Counter* made;  // counts it
    size_t bytes = 0;
  };
  size_t held_bytes_ = 0;
  std::deque<Held> held_;  // spans of servers that wait for the client of their request
  uint64_t latest_ns_ = 0;
  std::vector<exporter::Span> spans_;
  uint64_t spans_made_ = 0;
  CarriedContexts carried_;
  std::string_view counted_as_;                    // what spans_by_kind_ is of
  std::array<base::Counter*, 2> spans_by_kind_{};  // server, client
};

}  // namespace clew::connection
