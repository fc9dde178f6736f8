// SPDX-License-Identifier: Apache-2.0
// Heads, bodies and their ends: from a parser's steps to exchanges, and from those to spans.
#include <algorithm>

#include "agent/connection/connections.h"
#include "agent/connection/entry.h"

namespace clew::connection {
namespace {

// A response that was there this long before the first request that was seen answers an earlier one.
// Only for sources that do not say where the other direction stood.
constexpr uint64_t kEarlierResponseNs = 1'000;

}  // namespace

// Something is missing of that direction, or was none of the protocol. What was under way is given up, and its responses are yet to come.
void Connections::doubt_turns(Entry& entry, Direction direction) {
  if (is_multiplexed(entry)) return;
  Entry::Turns& turns = entry.turns;
  turns.in_doubt = true;
  turns.is_cut |= entry.protocol == nullptr || direction == entry.client_direction;
  turns.doubt_until = turns.asked_at != capture::Bytes::kNoPosition ? turns.asked_at : 0;
  if (entry.protocol == nullptr || direction != entry.client_direction) return;
  // Requests may be missing that were sent behind those that were seen, unless it is the rest of the latest one's body.
  const Exchange* const open = entry.exchanges.open_response(0);
  uint64_t until = turns.doubt_until;
  if (open != nullptr && open->response.head)
    until = entry.half(opposite(direction)).stream.known_end();
  else if (entry.exchanges.open_request(0) == nullptr)
    until = turns.answered_to;
  if (is_later(until, turns.doubt_until)) turns.doubt_until = until;
}

// A request has come. False: the next response may be that of an earlier one of which nobody knows.
bool Connections::keeps_turn(Entry& entry, Direction direction) {
  const Entry::Half& half = entry.half(direction);
  Entry::Half& answers = entry.half(opposite(direction));
  Entry::Turns& turns = entry.turns;
  const uint64_t now_at = half.other_position;
  if (is_multiplexed(entry) || now_at == capture::Bytes::kNoPosition) return true;
  const uint64_t before_at = std::exchange(turns.asked_at, now_at);
  if (!turns.in_doubt) {
    // That far all responses were shown, and the one to an earlier request has not ended.
    if (entry.exchanges.open_response(0) == nullptr || !is_later(answers.stream.known_end(), now_at)) return true;
    turns.overlap |= before_at != capture::Bytes::kNoPosition && !is_later(before_at, now_at);
    turns.pipelines = true;
    if (!std::exchange(turns.assumed, false)) return true;
    turns.in_doubt = turns.is_cut = true;  // it was otherwise
    return false;
  }
  const bool waits = is_later(turns.doubt_until, now_at);
  turns.pipelines |= waits;
  if (turns.overlap || (turns.pipelines && turns.is_cut) || waits) return false;
  // Where its own has been told of already, behind others, the next one will do.
  const auto ahead = static_cast<int32_t>(static_cast<uint32_t>(now_at) - static_cast<uint32_t>(answers.stream.known_end()));
  if (ahead < 0 && !answers.awaits_peer) return false;
  turns.in_doubt = turns.is_cut = false;
  turns.assumed = !turns.pipelines;
  if (answers.awaits_peer) return true;  // with its own
  answers.start_anew();
  if (ahead > 0) answers.stream.restart_at(answers.stream.known_end() + ahead);
  entry.parser->forget_earlier_requests();
  entry.parser->restart(Sender::kServer);
  answers.started = answers.aligned = true;  // what is missing from here on is missing of its answer
  return true;
}

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
      answers.start_anew([position](const HeldCalls::Call& call) {  // what was moved when this request was there may be its own
        return call.other_position() == capture::Bytes::kNoPosition || is_later(position, call.other_position());
      });
      entry.parser->restart(Sender::kServer);
      answers.aligned = false;
      counters_.get("clew_responses_without_request_total").add();
    }
    answers.held_at = capture::Bytes::kNoPosition;
  } else if (entry.rejects_one) {  // which of the two does the next response answer?
    return give_up(entry);
  } else if (!answers.aligned && entry.exchanges.empty()) {
    // Its answer begins with the next byte there, whatever came before it and may have no end of line.
    entry.parser->restart(Sender::kServer);
  }
  const bool has_turn = keeps_turn(entry, direction);
  entry.mid_stream = false;
  entry.rejects_one = false;
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
  if (!has_turn) close(entry, exchange::kBytesLost, {});
}

// Bytes so far of a body that has not ended; 0 where nobody follows the connection any more.
uint64_t Connections::body_so_far(const Entry& entry, Sender sender, const Exchange& exchange) {
  if (entry.parser == nullptr) return 0;
  return entry.parser->body_bytes(sender, exchange.stream_id, entry.half(entry.direction(sender)).stream.skipped());
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
    entry.turns.answered_to = entry.half(direction).stream.position();
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
  if (!may_be_joined && spans_made_ >= limits_.spans_max) return correlator_.closed(key, end_ns);
  if (may_be_joined && (held_.size() >= limits_.held_max || held_bytes_ >= limits_.held_bytes_max))
    release(held_.front().span.end_unix_ns + limits_.late_join_wait_ns);
  exporter::Span& span = may_be_joined ? held_.emplace_back(Held{.span = {}, .key = key, .made = &made}).span : spans_.emplace_back();
  span.resource = std::move(resource);
  builder_.build(*entry.protocol, entry.place, exchange, context, end_ns, entry.words, span);
  if (may_be_joined) {
    correlator_.answered(key, end_ns);  // or given up: while its span waits, its process works for others
    held_bytes_ += held_.back().bytes = span.memory_bytes();
    return;
  }
  made.add();
  ++spans_made_;
  correlator_.closed(key, end_ns);
}

void Connections::release(uint64_t now_ns) {
  for (; !held_.empty(); held_.pop_front()) {
    Held& held = held_.front();
    if (held.span.end_unix_ns + limits_.late_join_wait_ns > now_ns && !is_ahead(held.span.end_unix_ns, now_ns)) return;
    held_bytes_ -= held.bytes;
    correlation::Context context = correlator_.context_of(held.key, exporter::SpanKind::kServer);
    if (context.evidence != correlation::Evidence::kNone) exchange::SpanBuilder::join(held.span, std::move(context));
    correlator_.closed(held.key, held.span.end_unix_ns);
    if ((held.span.flags & exporter::kFlagSampled) == 0) {
      unsampled_.add();
    } else if (spans_made_ < limits_.spans_max) {
      held.made->add();
      ++spans_made_;
      spans_.push_back(std::move(held.span));
    }
  }
}

}  // namespace clew::connection
