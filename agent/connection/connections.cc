// SPDX-License-Identifier: Apache-2.0
#include "agent/connection/connections.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "agent/connection/entry.h"
#include "agent/correlation/execution_model.h"

namespace clew::connection {
namespace {

using capture::Direction;
using capture::opposite;
using exchange::Exchange;
using protocols::Sender;
using protocols::Step;

constexpr uint8_t kInvalidMax = 16;  // then the connection is given up
// A response that was there this long before the first request that was seen answers an earlier one.
// Only for sources that do not say where the other direction stood.
constexpr uint64_t kEarlierResponseNs = 1'000;

// Was the request at `position` sent or read after `response_at`, the point that its direction had reached when a response passed?
// Compared by 32 bits, as the kernel counts.
bool is_later(uint64_t position, uint64_t response_at) {
  return static_cast<int32_t>(static_cast<uint32_t>(position) - static_cast<uint32_t>(response_at)) >= 0;
}

}  // namespace

Connections::Connections(const protocols::ProtocolList& protocols, const exchange::SpanBuilder& builder, ResourceOf resource_of,
                         correlation::Correlator& correlator, Propagators propagators, base::Counters& counters, Limits limits)
    : protocols_(protocols),
      builder_(builder),
      resource_of_(std::move(resource_of)),
      correlator_(correlator),
      propagators_(std::move(propagators)),
      counters_(counters),
      unsampled_(counters.get("clew_spans_not_sampled_total")),
      limits_(limits),
      carried_(counters) {}

Connections::~Connections() = default;

// ---------------------------------------------------------------------------------------------- table

void Connections::connection(const capture::Connection& connection) {
  if (const auto it = by_id_.find(connection.id); it != by_id_.end()) {
    capture::Connection& known = it->second->info;
    if (connection.has_base && known.has_base && known.base == connection.base) {  // two threads of it announced it at once
      if (known.role == capture::Role::kUnknown) known.role = connection.role;
      return;
    }
    // its first announcement was lost
    close(*it->second, exchange::kBytesLost, {});
    forget(connection.id);
  }
  if (by_id_.size() >= limits_.connections_max) evict_oldest("table_full");
  auto owned = std::make_unique<Entry>();
  Entry& entry = *owned;
  entry.info = connection;
  entry.mid_stream = !connection.from_start;
  if (newest_ != nullptr) newest_->newer = &entry;
  entry.older = newest_;
  newest_ = &entry;
  if (oldest_ == nullptr) oldest_ = &entry;
  by_id_[connection.id] = std::move(owned);
}

Connections::Entry* Connections::find(const capture::Bytes& bytes) {
  if (newest_ != nullptr && newest_->info.id == bytes.connection) return newest_;  // traffic comes in runs
  auto it = by_id_.find(bytes.connection);
  if (it == by_id_.end()) {
    counters_.lost("connection", "unannounced").add();
    capture::Connection unknown;
    unknown.id = bytes.connection;
    unknown.time_ns = bytes.time_ns;
    connection(unknown);
    it = by_id_.find(bytes.connection);
  }
  Entry* entry = it->second.get();
  if (entry != newest_) {  // to the end of the list
    if (entry->older != nullptr) entry->older->newer = entry->newer;
    if (entry->newer != nullptr) entry->newer->older = entry->older;
    if (oldest_ == entry) oldest_ = entry->newer;
    entry->older = newest_;
    entry->newer = nullptr;
    newest_->newer = entry;
    newest_ = entry;
  }
  return entry;
}

void Connections::forget(uint64_t id) {
  carried_.forget(id);
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return;
  Entry* entry = it->second.get();
  if (entry->older != nullptr) entry->older->newer = entry->newer;
  if (entry->newer != nullptr) entry->newer->older = entry->older;
  if (oldest_ == entry) oldest_ = entry->newer;
  if (newest_ == entry) newest_ = entry->older;
  memory_bytes_ -= entry->memory_bytes;
  entry->exchanges.for_each([&](const Exchange& exchange) {
    if (!exchange.delivered) drop(*entry, exchange);
  });
  by_id_.erase(it);
}

// What `entry` holds may have changed. One alone cannot reach the bound.
void Connections::account(Entry& entry) {
  size_t now = sizeof(Entry) + entry.exchanges.memory_bytes();
  if (entry.parser != nullptr) now += entry.parser->memory_bytes();
  for (const Entry::Half& half : entry.halves) now += half.stream.memory_bytes();
  memory_bytes_ += now - std::exchange(entry.memory_bytes, now);
  while (memory_bytes_ > limits_.memory_max && oldest_ != nullptr && oldest_ != &entry) evict_oldest("memory_full");
}

void Connections::evict_oldest(std::string_view reason) {
  if (oldest_ == nullptr) return;
  if (!oldest_->exchanges.empty()) counters_.lost("connection", reason).add(oldest_->exchanges.size());
  close(*oldest_, exchange::kBytesLost, {});
  forget(oldest_->info.id);
}

// ---------------------------------------------------------------------------------------------- bytes in

void Connections::bytes(const capture::Bytes& bytes) {
  const bool is_known = (newest_ != nullptr && newest_->info.id == bytes.connection) || by_id_.contains(bytes.connection);
  if (!is_known && bytes.bytes.empty()) return;  // the last word on a connection that is over already
  if (!is_known && is_over(bytes.connection)) return counters_.lost("connection", "read_after_end").add();
  latest_ns_ = std::max(latest_ns_, bytes.time_ns);
  Entry& entry = *find(bytes);
  if (entry.opaque) return;
  Entry::Half& half = entry.half(bytes.direction);
  half.process_id = bytes.process_id;
  half.thread_id = bytes.thread_id;
  half.blocking = bytes.blocking;
  half.injected = bytes.injected;
  half.execution = bytes.execution;
  half.other_position = bytes.other_position;
  if (!half.started) {  // joined in the middle: what was before is none of ours
    half.started = true;
    if (!entry.info.from_start) half.stream.restart_at(bytes.position);
  }
  feed(entry, bytes);
  half.stream.keep_rest();
  if (bytes.direction == Direction::kIngress && is_multiplexed(entry) && entry.model == correlation::ExecutionModel::kEventLoop)
    correlator_.interrupted(caller_of(entry, bytes.direction));
  // Each may wait for the other in turn: a request behind an upgrade that is refused, then its response.
  for (Direction next = opposite(bytes.direction); entry.half(next).awaits_peer && !entry.opaque; next = opposite(next)) {
    stream::Stream& stream = entry.half(next).stream;
    const uint64_t before = stream.position();
    pump(entry, next);
    stream.keep_rest();
    if (stream.position() == before) break;
  }
  deliver_ready(entry);
  if (entry.opaque) {  // nothing more is asked of these
    entry.parser.reset();
    for (Entry::Half& each : entry.halves) each.stream.forget();
  }
  account(entry);
}

void Connections::feed(Entry& entry, const capture::Bytes& bytes) {
  Entry::Half& half = entry.half(bytes.direction);
  stream::Stream& stream = half.stream;
  if (bytes.begins_message) {
    half.message_at = bytes.position;
    if (entry.parser != nullptr && entry.parser->is_hunting(entry.sender(bytes.direction))) {
      stream.restart_at(bytes.position);
      entry.parser->restart(entry.sender(bytes.direction));
    }
  }
  switch (stream.arrive(bytes.position, bytes.bytes, bytes.advanced_to, bytes.time_ns)) {
    case stream::Stream::Arrival::kInOrder: break;
    case stream::Stream::Arrival::kNothingNew: return;
    case stream::Stream::Arrival::kHole: {
      const uint64_t missing = bytes.position > stream.position() ? bytes.position - stream.position() : 0;
      // Behind a request for another protocol, whose answer is not known yet: these bytes may be that one's, and no message is lost.
      const bool may_be_foreign = half.awaits_peer && bytes.direction == entry.client_direction;
      // With several requests under way nobody knows which of them the next response answers.
      if (may_be_foreign)
        counters_.get("clew_stream_hole_bytes_total").add(missing);
      else if (half.aligned || entry.info.from_start || entry.exchanges.size() > 1 || is_multiplexed(entry))
        on_hole(entry, bytes.direction, missing);
      else if (entry.parser != nullptr)
        entry.parser->restart(entry.sender(bytes.direction));
      if (bytes.bytes.empty()) {
        stream.restart_at(stream.known_end());
        return;
      }
      stream.restart_at(bytes.position);
      stream.arrive(bytes.position, bytes.bytes, bytes.advanced_to, bytes.time_ns);
      if (bytes.begins_message && entry.parser != nullptr && entry.parser->is_hunting(entry.sender(bytes.direction)))
        entry.parser->restart(entry.sender(bytes.direction));
      break;
    }
    case stream::Stream::Arrival::kOverflow:
      counters_.lost("stream", "buffer_full").add();
      on_hole(entry, bytes.direction, bytes.bytes.size());
      stream.restart_at(stream.known_end());
      return;
  }
  pump(entry, bytes.direction);
}

// Bytes are missing that no parser asked to skip: whatever was under way in either direction is over, and the next message of each
// is looked for anew. Before a protocol is known it means nothing: the kernel shows only what may be a head.
void Connections::on_hole(Entry& entry, Direction direction, uint64_t lost_bytes) {
  if (entry.protocol == nullptr) return;
  // Between two requests, a hole in the client's direction is one.
  if (!entry.exchanges.empty() || direction == entry.client_direction || entry.half(entry.client_direction).stream.skipping()) {
    counters_.lost("stream", "hole").add();
    counters_.get("clew_stream_hole_bytes_total").add(lost_bytes);
  }
  close(entry, exchange::kBytesLost, {});
  entry.mid_stream = true;
  entry.info.from_start = false;
  entry.interim_open = false;
  if (is_multiplexed(entry)) {  // what is known of the other direction goes on
    entry.parser->resync(entry.sender(direction), {});
    entry.half(direction).awaits_peer = false;
    entry.half(direction).stream.restart_at(entry.half(direction).stream.known_end());
    return;
  }
  entry.parser = entry.protocol->make_parser(false);
  for (Entry::Half& half : entry.halves) {
    half.awaits_peer = false;
    half.held_at = capture::Bytes::kNoPosition;
    half.aligned = false;
    half.stream.restart_at(half.stream.known_end());
  }
}

bool Connections::classify(Entry& entry, Direction direction) {
  stream::Stream& stream = entry.half(direction).stream;
  const std::string_view bytes = stream.available();
  if (bytes.empty()) return false;
  bool need_more = false;
  bool is_either = false;
  for (const Sender sender : {Sender::kClient, Sender::kServer}) {
    if (entry.info.role != capture::Role::kUnknown && !entry.info.passive) {
      const bool from_client = (entry.info.role == capture::Role::kServer) == (direction == Direction::kIngress);
      if (from_client != (sender == Sender::kClient)) continue;
    }
    const protocols::Classification found = protocols::classify_all(protocols_, sender, bytes);
    if (found.kind == protocols::Classification::Kind::kNeedMore) need_more = true;
    if (found.kind != protocols::Classification::Kind::kFound) continue;
    is_either = entry.protocol != nullptr;
    entry.protocol = found.protocol;
    entry.client_direction = sender == Sender::kClient ? direction : opposite(direction);
  }
  if (is_either) entry.protocol = nullptr;  // whoever sends this, client or server: other bytes will tell
  if (entry.protocol == nullptr) {
    if (!need_more) stream.consume(bytes.size());
    return false;
  }
  // Only a connection whose very first bytes these are has been seen from its start.
  const bool from_start = entry.info.from_start && stream.position() == 0;
  entry.mid_stream = !from_start;
  entry.confirmed = from_start || entry.info.passive;
  entry.parser = entry.protocol->make_parser(from_start);
  if (!from_start && entry.half(direction).message_at == stream.position() && entry.parser->is_hunting(entry.sender(direction)))
    entry.parser->restart(entry.sender(direction));
  const bool outgoing = entry.client_direction == Direction::kEgress;
  entry.place.connection = entry.info.id;
  entry.place.is_client = outgoing && !entry.info.passive;
  entry.place.is_tls = entry.info.is_tls;
  entry.place.tls_version = entry.info.tls_version;
  entry.place.server = exchange::address_of(outgoing ? entry.info.peer : entry.info.local);
  entry.place.client = exchange::address_of(outgoing ? entry.info.local : entry.info.peer);
  return true;
}

void Connections::pump(Entry& entry, Direction direction) {
  Entry::Half& half = entry.half(direction);
  half.awaits_peer = false;
  while (!entry.opaque) {
    if (entry.parser == nullptr && !classify(entry, direction)) return;
    if (half.stream.skipping()) return;
    if (!take_step(entry, direction, entry.parser->parse(entry.sender(direction), half.stream.available()))) return;
  }
}

// False: nothing more to do in this direction for now.
bool Connections::take_step(Entry& entry, Direction direction, Step step) {
  Entry::Half& half = entry.half(direction);
  const uint64_t position = half.stream.position();
  switch (step.kind) {
    case Step::Kind::kNeedMore: half.stream.consume(step.consumed); return false;
    case Step::Kind::kAwaitPeer:
      half.stream.consume(step.consumed);
      if (half.held_at == capture::Bytes::kNoPosition) half.held_at = half.other_position;
      half.awaits_peer = true;
      return false;
    case Step::Kind::kHead: {
      half.aligned = true;
      const uint64_t first_byte_ns = half.stream.time_of_next();
      const auto remote = remote_context(step, half.injected == capture::Bytes::Injected::kAdded);  // before its bytes go
      half.stream.consume(step.consumed);
      on_head(entry, direction, step, position, first_byte_ns, remote ? &*remote : nullptr);
      if (step.skip > 0) half.stream.skip(step.skip);
      if (!step.is_whole) return true;
      on_end(entry, direction, step, 0);
      return !step.is_last || !half.stream.available().empty();
    }
    case Step::Kind::kSkip:
      half.stream.consume(step.consumed);
      half.stream.skip(step.skip);
      return true;
    case Step::Kind::kEnd:
      half.stream.consume(step.consumed);
      on_end(entry, direction, step, step.body_bytes);
      return !step.is_last || !half.stream.available().empty();
    case Step::Kind::kAbort:
      half.stream.consume(step.consumed);
      on_abort(entry, direction, step);
      return true;
    case Step::Kind::kInvalid:
      half.stream.consume(step.consumed);
      if (step.stream_id != 0)
        counters_.lost(std::string("parser_").append(entry.protocol->name()), step.reason).add();
      else
        on_invalid(entry, direction, step.reason);
      return true;
    case Step::Kind::kOpaque:
      entry.opaque = true;
      if (!step.reason.empty()) counters_.lost(std::string("parser_").append(entry.protocol->name()), step.reason).add();
      if (Exchange* open = entry.exchanges.open_response(step.stream_id); open != nullptr && open->response.head != nullptr) {
        open->request.complete = true;
        on_end(entry, entry.direction(Sender::kServer), step, 0);
      }
      return false;
  }
  return false;
}

void Connections::on_invalid(Entry& entry, Direction direction, std::string_view reason) {
  counters_.lost(std::string("parser_").append(entry.protocol->name()), reason).add();
  Entry::Half& half = entry.half(direction);
  const std::string_view bytes = half.stream.available();
  if (++entry.invalid_count >= kInvalidMax) return give_up(entry);
  const size_t drop = entry.parser->resync(entry.sender(direction), bytes);
  half.stream.consume(std::min(drop, bytes.size()));
  if (is_multiplexed(entry)) return close(entry, exchange::kBytesLost, {});  // the parser has forgotten all of them
  if (Exchange* open = direction == entry.client_direction ? entry.exchanges.open_request(0) : entry.exchanges.open_response(0)) {
    open->incomplete |= exchange::kBytesLost;
    (direction == entry.client_direction ? open->request : open->response).complete = true;
    if (open->response.last_byte_ns == 0) open->response.last_byte_ns = half.stream.time_latest();
  }
  entry.mid_stream = true;  // an invalid request is answered, too
  if (direction == entry.client_direction) return;
  half.aligned = false;
  close(entry, exchange::kBytesLost, {});  // the parser has forgotten all requests
}

void Connections::give_up(Entry& entry) {
  counters_.lost("connection", "given_up").add();
  close(entry, exchange::kBytesLost, {});
  entry.opaque = true;
}

// ---------------------------------------------------------------------------------------------- messages

void Connections::on_head(Entry& entry, Direction direction, Step& step, uint64_t position, uint64_t first_byte_ns,
                          const correlation::RemoteContext* remote) {
  Entry::Half& half = entry.half(direction);
  if (!step.is_request) {
    entry.interim_open = step.is_interim && !is_multiplexed(entry);
    if (step.is_interim) return;
    Exchange* exchange = entry.exchanges.open_response(step.stream_id);
    if (exchange == nullptr) return;
    entry.confirmed = true;
    if (entry.place.is_client)
      correlator_.response_received(key_of(entry.place, *exchange), caller_of(entry, direction));
    else
      correlator_.response_sent(key_of(entry.place, *exchange), caller_of(entry, direction));
    if (step.is_partial) exchange->incomplete |= exchange::kAttachedMidStream;
    exchange->response.head = std::move(step.head);
    exchange->response.first_byte_ns = first_byte_ns;
    exchange->response.last_byte_ns = half.stream.time_of_last();
    return;
  }
  Entry::Half& answers = entry.half(opposite(direction));
  if (is_multiplexed(entry)) {
    // Whose a response is says its id.
  } else if (answers.awaits_peer) {
    const bool answers_earlier = answers.held_at != capture::Bytes::kNoPosition
                                     ? is_later(position, answers.held_at)
                                     : entry.mid_stream && answers.stream.time_of_next() + kEarlierResponseNs < first_byte_ns;
    if (answers_earlier) {
      answers.stream.restart_at(answers.stream.known_end());
      entry.parser->restart(Sender::kServer);
      answers.awaits_peer = false;
      answers.aligned = false;
      counters_.get("clew_responses_without_request_total").add();
    }
    answers.held_at = capture::Bytes::kNoPosition;
  } else if (!answers.aligned && entry.exchanges.empty()) {
    // Its answer begins with the next byte there, whatever came before it and may have no end of line.
    entry.parser->restart(Sender::kServer);
  }
  entry.mid_stream = false;
  const bool has_long_heads = entry.exchanges.head_bytes() >= exchange::ExchangeTable::kHeadBytesMax;
  if (has_long_heads ||
      entry.exchanges.size() >= (is_multiplexed(entry) ? exchange::ExchangeTable::kStreamsMax : exchange::ExchangeTable::kMax)) {
    counters_.lost("exchange", has_long_heads ? "heads_full" : "queue_full").add();
    if (!is_multiplexed(entry)) give_up(entry);  // dropping one would give its response to another
    return;
  }
  Exchange& exchange = entry.exchanges.push(step.stream_id, std::move(step.head));
  exchange.position = position;
  exchange.process_id = half.process_id;
  exchange.request.first_byte_ns = first_byte_ns;
  exchange.request.last_byte_ns = half.stream.time_of_last();
  exchange.injected = half.injected;
  if (step.is_partial) exchange.incomplete |= exchange::kAttachedMidStream;
  correlate(entry, direction, exchange, remote);
}

// Bytes so far of a body that has not ended.
uint64_t Connections::body_so_far(const Entry& entry, Sender sender, const Exchange& exchange) {
  return is_multiplexed(entry) ? entry.parser->body_bytes(sender, exchange.stream_id)
                               : entry.half(entry.direction(sender)).stream.skipped();
}

void Connections::on_end(Entry& entry, Direction direction, Step& step, uint64_t body_bytes) {
  const bool is_request = direction == entry.client_direction;
  if (!is_request && std::exchange(entry.interim_open, false)) return;
  Exchange* exchange = is_request ? entry.exchanges.open_request(step.stream_id) : entry.exchanges.open_response(step.stream_id);
  if (exchange == nullptr) return;
  exchange::Side& side = is_request ? exchange->request : exchange->response;
  side.complete = true;
  side.body_bytes = body_bytes;
  side.last_byte_ns = std::max(side.last_byte_ns, entry.half(direction).stream.time_of_last());
  if (!is_request) {
    exchange->response_tail = std::move(step.tail);
    if (step.is_partial) exchange->incomplete |= exchange::kAttachedMidStream;
  }
  // What passes behind a complete response may be the next request instead of the rest of a body that the client keeps back.
  if (!is_request && !exchange->request.complete) exchange->request.body_bytes = body_so_far(entry, Sender::kClient, *exchange);
  entry.exchanges.touch(*exchange);
  if (is_request && body_bytes > 0 && !entry.place.is_client)
    correlator_.request_completed(key_of(entry.place, *exchange), caller_of(entry, direction));
  else if (!is_request)
    correlator_.answered(key_of(entry.place, *exchange), entry.half(direction).stream.time_latest());
}

// One of many on its connection is over, as it is.
void Connections::on_abort(Entry& entry, Direction direction, Step& step) {
  Exchange* const exchange = entry.exchanges.of(step.stream_id);
  if (exchange == nullptr) return;
  if (!exchange->request.complete) exchange->request.body_bytes = step.body_bytes;
  exchange->request.complete = true;
  entry.exchanges.touch(*exchange);
  if (exchange->response.complete) return;
  exchange->aborted = true;
  exchange->is_reset = true;
  exchange->failure = step.reason;
  exchange->reset_by_client = step.by_client;
  exchange->response_tail = std::move(step.tail);
  if (step.is_partial) exchange->incomplete |= exchange::kAttachedMidStream;
  exchange->response.complete = true;
  exchange->response.body_bytes = step.other_bytes;
  exchange->response.last_byte_ns = entry.half(direction).stream.time_of_last();
  correlator_.answered(key_of(entry.place, *exchange), entry.half(direction).stream.time_latest());
}

void Connections::deliver_ready(Entry& entry) {
  while (Exchange* const exchange = entry.exchanges.take_touched()) {
    if (!exchange->response.complete) continue;
    if (exchange->request.complete) {
      if (!exchange->delivered) deliver(entry, *exchange, exchange->response.last_byte_ns);
      entry.exchanges.erase(*exchange);
    } else if (!entry.waiting) {
      entry.waiting = true;
      waiting_.push_back(entry.info.id);
    }
  }
}

void Connections::deliver(Entry& entry, Exchange& exchange, uint64_t end_ns) {
  exchange.delivered = true;
  std::shared_ptr<const exporter::Resource> resource = resource_of_(exchange.process_id, entry.place, exchange.request.first_byte_ns);
  const std::string_view counted_as = entry.protocol->name_of(exchange.request.head.get(), exchange.response.head.get());
  if (counted_as != counted_as_ || spans_by_kind_[0] == nullptr) {
    counted_as_ = counted_as;
    for (const auto& [slot, kind] : {std::pair{0, "server"}, std::pair{1, "client"}})
      spans_by_kind_[slot] =
          &counters_.get("clew_spans_total", std::string("protocol=\"").append(counted_as).append("\",kind=\"").append(kind).append("\""));
  }
  const correlation::RequestKey key = key_of(entry.place, exchange);
  correlation::Context context =
      correlator_.context_of(key, entry.place.is_client ? exporter::SpanKind::kClient : exporter::SpanKind::kServer);
  base::Counter& made = *spans_by_kind_[entry.place.is_client ? 1 : 0];
  const bool may_be_joined =
      !entry.place.is_client && entry.info.has_base && context.evidence == correlation::Evidence::kNone && correlator_.has_clients();
  if (!may_be_joined && (context.flags & exporter::kFlagSampled) == 0) {  // not even built
    unsampled_.add();
    correlator_.closed(key, end_ns);
    return;
  }
  if (may_be_joined && (held_.size() >= limits_.held_max || held_bytes_ >= limits_.held_bytes_max))
    release(held_.front().span.end_unix_ns + limits_.late_join_wait_ns);
  exporter::Span& span = may_be_joined ? held_.emplace_back(Held{.span = {}, .key = key, .made = &made}).span : spans_.emplace_back();
  span.resource = std::move(resource);
  builder_.build(*entry.protocol, entry.place, exchange, context, end_ns, entry.words, span);
  if (may_be_joined) {
    held_bytes_ += held_.back().bytes = span.memory_bytes();
    return;
  }
  made.add();
  correlator_.closed(key, end_ns);
}

void Connections::release(uint64_t now_ns) {
  for (; !held_.empty() && held_.front().span.end_unix_ns + limits_.late_join_wait_ns <= now_ns; held_.pop_front()) {
    Held& held = held_.front();
    held_bytes_ -= held.bytes;
    correlation::Context context = correlator_.context_of(held.key, exporter::SpanKind::kServer);
    if (context.evidence != correlation::Evidence::kNone) exchange::SpanBuilder::join(held.span, std::move(context));
    correlator_.closed(held.key, held.span.end_unix_ns);
    if ((held.span.flags & exporter::kFlagSampled) == 0) {
      unsampled_.add();
    } else {
      held.made->add();
      spans_.push_back(std::move(held.span));
    }
  }
}

// ---------------------------------------------------------------------------------------------- ends

// A body that ends with the connection.
void Connections::end_at_close(Entry& entry, Direction direction) {
  Step step;
  on_end(entry, direction, step, entry.half(direction).stream.skipped());
}

void Connections::finish_direction(Entry& entry, Direction direction) {
  Entry::Half& half = entry.half(direction);
  if (std::exchange(half.ended, true) || entry.parser == nullptr || entry.opaque) return;
  if (entry.parser->finish(entry.sender(direction)))
    end_at_close(entry, direction);
  else if (direction == entry.client_direction && !half.stream.available().empty())
    counters_.lost("stream", "head_truncated").add();
}

// What a client has begun to say, and will not say any more.
void Connections::count_cut_heads(const Entry& entry) {
  if (entry.opaque) return;
  for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
    const Entry::Half& half = entry.half(direction);
    const bool may_be_request = entry.protocol == nullptr || direction == entry.client_direction;
    if (may_be_request && !half.ended && !half.stream.available().empty()) counters_.lost("stream", "head_truncated").add();
  }
}

void Connections::end(const capture::End& end) {
  const auto it = by_id_.find(end.connection);
  if (it == by_id_.end()) return;
  Entry& entry = *it->second;
  if (end.kind == capture::End::Kind::kDirection) {
    finish_direction(entry, end.direction);
    if (entry.protocol != nullptr && end.direction != entry.client_direction)
      close(entry, exchange::kConnectionClosed, "connection_closed");
    deliver_ready(entry);
    entry.half(end.direction).ended = true;
    if (!entry.half(opposite(end.direction)).ended) return;
  }
  if (end.kind != capture::End::Kind::kTracer) count_cut_heads(entry);
  if (entry.protocol != nullptr) {
    const Direction answers = entry.direction(Sender::kServer);
    // A body that ends with the connection is whole if its sender closed; not if the reader did, or something broke.
    if (end.kind == capture::End::Kind::kClosed && answers == Direction::kEgress) finish_direction(entry, answers);
    deliver_ready(entry);
    switch (end.kind) {
      case capture::End::Kind::kTracer: close(entry, exchange::kTracerStopped, {}); break;
      case capture::End::Kind::kReset: close(entry, exchange::kConnectionClosed, "connection_reset"); break;
      default: close(entry, exchange::kConnectionClosed, "connection_closed"); break;
    }
  }
  forget(end.connection);
  ended_[ended_next_++ % kEndedMax] = end.connection;
}

// Ends every exchange that is under way; they become spans that say why they are not whole.
void Connections::close(Entry& entry, uint8_t incomplete, std::string_view failure) {
  while (entry.exchanges.take_touched() != nullptr) continue;
  while (!entry.exchanges.empty()) {
    Exchange& exchange = entry.exchanges.front();
    if (!exchange.delivered && !exchange.aborted && !entry.confirmed) {
      counters_.lost("exchange", "joined_without_response").add();  // bytes of something else may look like a request
      drop(entry, exchange);
    } else if (!exchange.delivered) {
      const Direction answers = entry.direction(Sender::kServer);
      if (!exchange.response.complete) {
        exchange.incomplete |= incomplete;
        exchange.failure = failure;
        exchange.response.body_bytes = body_so_far(entry, Sender::kServer, exchange);
      }
      if (!exchange.request.complete && !exchange.response.complete)
        exchange.request.body_bytes = body_so_far(entry, Sender::kClient, exchange);
      uint64_t end_ns = std::max(exchange.request.last_byte_ns, exchange.response.last_byte_ns);
      if (!exchange.response.complete)
        end_ns = std::max({end_ns, entry.half(answers).stream.time_latest(), entry.half(opposite(answers)).stream.time_latest()});
      deliver(entry, exchange, end_ns);
    }
    entry.exchanges.erase(exchange);
  }
}

void Connections::tick(uint64_t now_ns) {
  release(now_ns);
  for (size_t i = 0; i < waiting_.size();) {
    const auto it = by_id_.find(waiting_[i]);
    bool keep = false;
    if (it != by_id_.end()) {
      Entry& entry = *it->second;
      entry.exchanges.for_each([&](Exchange& exchange) {
        if (!exchange.response.complete || exchange.delivered) return;
        if (exchange.response.last_byte_ns + limits_.early_response_wait_ns <= now_ns) {
          exchange.request.body_bytes = body_so_far(entry, Sender::kClient, exchange);
          deliver(entry, exchange, exchange.response.last_byte_ns);
        } else {
          keep = true;
        }
      });
      entry.waiting = keep;
    }
    if (keep) {
      ++i;
    } else {
      waiting_[i] = waiting_.back();
      waiting_.pop_back();
    }
  }
}

void Connections::finish(uint64_t now_ns) {
  std::vector<uint64_t> ids;
  ids.reserve(by_id_.size());
  by_id_.for_each([&ids](const auto& entry) { ids.push_back(entry.first); });
  std::ranges::sort(ids);  // the same order at each replay
  for (uint64_t id : ids) end({.connection = id, .kind = capture::End::Kind::kTracer, .time_ns = now_ns});
  release(UINT64_MAX);
}

}  // namespace clew::connection
