// SPDX-License-Identifier: Apache-2.0
// Bytes on their way to the parser: holes, which protocol, steps, what breaks its rules.
#include <algorithm>
#include <string>

#include "agent/connection/connections.h"
#include "agent/connection/entry.h"
#include "agent/correlation/execution_model.h"
#include "protocols/proxy_header.h"

namespace clew::connection {
namespace {

constexpr uint8_t kInvalidMax = 16;  // then the connection is given up

}  // namespace

void Connections::bytes(const capture::Bytes& bytes) {
  if (bytes.after_loss) correlator_.events_lost();
  const bool is_known = (newest_ != nullptr && newest_->info.id == bytes.connection) || by_id_.contains(bytes.connection);
  if (!is_known && bytes.bytes.empty()) return;  // the last word on a connection that is over already
  if (!is_known && is_over(bytes.connection)) return counters_.lost("connection", "read_after_end").add();
  latest_ns_ = std::max(latest_ns_, bytes.time_ns);
  Entry& entry = *find(bytes);
  if (entry.opaque) return;
  const bool was_known = entry.parser != nullptr;
  if (!put_aside(entry, bytes)) take(entry, bytes);
  // By these bytes it is known how to read the other direction's.
  if (Entry::Half& other = entry.half(opposite(bytes.direction)); !was_known && entry.parser != nullptr && other.started)
    other.awaits_peer = true;
  // Each may wait for the other in turn: a request behind an upgrade that is refused, then its response.
  for (Direction next = opposite(bytes.direction); !entry.opaque && go_on(entry, next);) next = opposite(next);
  deliver_ready(entry);
  if (entry.opaque) {  // nothing more is asked of these
    entry.parser.reset();
    for (Entry::Half& each : entry.halves) {
      each.start_anew();
      each.stream.forget();
    }
  }
  account(entry);
}

void Connections::take(Entry& entry, const capture::Bytes& bytes) {
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
}

// Do these bytes come apart from those that the parser waits with? The client has said more meanwhile, or they lie behind a body, of the
// response to a request that is still to be told of.
bool Connections::is_another(const Entry& entry, const capture::Bytes& bytes) {
  const Entry::Half& half = entry.half(bytes.direction);
  constexpr uint64_t kUnknown = capture::Bytes::kNoPosition;
  if (!is_multiplexed(entry) && half.held_at != kUnknown && bytes.other_position != kUnknown && half.held_at != bytes.other_position)
    return true;
  return half.stream.lies_behind(bytes.position) && loses_by_holes(entry, bytes.direction);
}

// A response may be told of before its request: the thread that has sent that one was slower to say so. Is what goes on behind it to wait?
bool Connections::put_aside(Entry& entry, const capture::Bytes& bytes) {
  Entry::Half& half = entry.half(bytes.direction);
  if (entry.parser == nullptr || bytes.direction == entry.client_direction) return false;
  if (half.later.empty() && !(half.awaits_peer && !bytes.bytes.empty() && is_another(entry, bytes))) return false;
  if (half.later.keep(bytes)) return true;
  const bool loses = loses_by_holes(entry, bytes.direction);
  half.start_anew();
  if (loses) {
    counters_.lost("stream", "buffer_full").add();
    on_hole(entry, bytes.direction, bytes.bytes.size());
  } else {
    entry.parser->restart(entry.sender(bytes.direction));
  }
  half.stream.restart_at(std::max(bytes.position + bytes.bytes.size(), bytes.advanced_to));
  return true;
}

// In the middle, where no message has begun yet, what is missing belongs to nobody. But with several requests under way nobody knows which
// of them the next response answers.
bool Connections::loses_by_holes(const Entry& entry, Direction direction) {
  return entry.half(direction).aligned || entry.info.from_start || entry.exchanges.size() > 1 || is_multiplexed(entry);
}

// Where the other direction has moved. True: this one has, too.
bool Connections::go_on(Entry& entry, Direction direction) {
  Entry::Half& half = entry.half(direction);
  const uint64_t before = half.stream.position();
  if (half.awaits_peer) {
    pump(entry, direction);
    half.stream.keep_rest();
  }
  while (!half.awaits_peer && !half.later.empty() && !entry.opaque) {
    HeldCalls::Call next = half.later.take();
    take(entry, next.get());
  }
  if (half.ends_later && !half.awaits_peer && !entry.opaque) {
    half.ends_later = false;
    if (entry.parser->finish(entry.sender(direction))) end_at_close(entry, direction);
  }
  return half.stream.position() != before;
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
      if (may_be_foreign)
        counters_.get("clew_stream_hole_bytes_total").add(missing);
      else if (loses_by_holes(entry, bytes.direction))
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
  doubt_turns(entry, direction);
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
  entry.rejects_one = false;
  if (is_multiplexed(entry)) {  // what is known of the other direction goes on
    entry.parser->resync(entry.sender(direction), {});
    // Of the other one nothing has come yet: its beginning may be missing, too.
    if (!entry.half(opposite(direction)).started) entry.parser->resync(entry.sender(opposite(direction)), {});
    entry.half(direction).awaits_peer = false;
    entry.half(direction).stream.restart_at(entry.half(direction).stream.known_end());
    return;
  }
  entry.parser = entry.protocol->make_parser(false);
  for (Entry::Half& half : entry.halves) {
    half.start_anew();
    half.held_at = capture::Bytes::kNoPosition;
    half.aligned = false;
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
  const bool from_start = entry.info.from_start && stream.position() == entry.half(direction).begins_at;
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

// What a proxy has put before the connection's first byte is none of its protocol. False: its end is to come.
bool Connections::pass_proxy_header(Entry& entry, Direction direction) {
  Entry::Half& half = entry.half(direction);
  if (!entry.info.from_start || half.stream.position() != 0) return !half.stream.skipping();
  const protocols::ProxyHeader header = protocols::find_proxy_header(half.stream.available());
  if (header.shown > 0) {
    half.begins_at = header.shown + header.hidden;
    half.stream.consume(header.shown);
    if (header.hidden > 0) half.stream.skip(header.hidden);
  }
  return !header.need_more && !half.stream.skipping();
}

void Connections::pump(Entry& entry, Direction direction) {
  Entry::Half& half = entry.half(direction);
  half.awaits_peer = false;
  while (!entry.opaque) {
    if (entry.parser == nullptr && !(pass_proxy_header(entry, direction) && classify(entry, direction))) return;
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
      if (is_multiplexed(entry)) close(entry, exchange::kBytesLost, {});
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
  if (direction != entry.client_direction) doubt_turns(entry, direction);
  if (++entry.invalid_count >= kInvalidMax) return give_up(entry);
  const size_t drop = entry.parser->resync(entry.sender(direction), bytes);
  half.stream.consume(std::min(drop, bytes.size()));
  if (is_multiplexed(entry)) return close(entry, exchange::kBytesLost, {});  // the parser has forgotten all of them
  if (Exchange* open = direction == entry.client_direction ? entry.exchanges.open_request(0) : entry.exchanges.open_response(0)) {
    open->incomplete |= exchange::kBytesLost;
    (direction == entry.client_direction ? open->request : open->response).complete = true;
    if (open->response.last_byte_ns == 0) open->response.last_byte_ns = half.stream.time_latest();
    entry.exchanges.touch(*open);  // it may be over
  } else if (direction == entry.client_direction) {
    entry.rejects_one = true;
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

}  // namespace clew::connection
