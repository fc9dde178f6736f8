// SPDX-License-Identifier: Apache-2.0
// The table of connections, and how they end.
#include "agent/connection/connections.h"

#include <algorithm>

#include "agent/connection/entry.h"

namespace clew::connection {
namespace {

// Do both tell of one beginning? Without numbers of its first bytes (a Unix socket or a TLS session that was open already, MPTCP) those of
// two calls that were under way together do.
bool are_same(const capture::Connection& known, const capture::Connection& told) {
  constexpr uint64_t kAtOnceNs = 10'000'000;
  if (known.has_base != told.has_base) return false;
  if (known.has_base) return known.base == told.base;
  const uint64_t apart_ns = std::max(known.time_ns, told.time_ns) - std::min(known.time_ns, told.time_ns);
  return known.time_ns != 0 && apart_ns <= kAtOnceNs && known.local.family == told.local.family;
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

void Connections::connection(const capture::Connection& connection) {
  if (const auto it = by_id_.find(connection.id); it != by_id_.end()) {
    capture::Connection& known = it->second->info;
    if (are_same(known, connection)) {  // two threads of it announced it at once
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
  for (const Entry::Half& half : entry.halves) now += half.stream.memory_bytes() + half.later.memory_bytes();
  memory_bytes_ += now - std::exchange(entry.memory_bytes, now);
  while (memory_bytes_ > limits_.memory_max && oldest_ != nullptr && oldest_ != &entry) evict_oldest("memory_full");
}

void Connections::evict_oldest(std::string_view reason) {
  if (oldest_ == nullptr) return;
  if (!oldest_->exchanges.empty()) counters_.lost("connection", reason).add(oldest_->exchanges.size());
  close(*oldest_, exchange::kBytesLost, {});
  forget(oldest_->info.id);
}

// A body that ends with the connection.
void Connections::end_at_close(Entry& entry, Direction direction) {
  Step step;
  on_end(entry, direction, step, entry.half(direction).stream.skipped());
}

void Connections::finish_direction(Entry& entry, Direction direction) {
  Entry::Half& half = entry.half(direction);
  if (std::exchange(half.ended, true) || entry.parser == nullptr || entry.opaque) return;
  if (direction != entry.client_direction && (half.awaits_peer || !half.later.empty())) {
    half.ends_later = true;
    return;
  }
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
  latest_ns_ = std::max(latest_ns_, end.time_ns);
  Entry& entry = *it->second;
  if (end.kind == capture::End::Kind::kDirection) {
    finish_direction(entry, end.direction);
    if (entry.protocol != nullptr && end.direction != entry.client_direction)
      close(entry, exchange::kConnectionClosed, "connection_closed", end.time_ns);
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
      case capture::End::Kind::kTracer: close(entry, exchange::kTracerStopped, {}, end.time_ns); break;
      case capture::End::Kind::kReset: close(entry, exchange::kConnectionClosed, "connection_reset", end.time_ns); break;
      // Seen at the client's end, its own close: its server's would have ended the answers before.
      default: close(entry, exchange::kConnectionClosed, "connection_closed", end.time_ns, answers == Direction::kIngress); break;
    }
  }
  forget(end.connection);
  ended_[ended_next_++ % kEndedMax] = end.connection;
}

// Ends every exchange that is under way; they become spans that say why they are not whole. `time_ns`: when it ended, 0: some time ago.
void Connections::close(Entry& entry, uint8_t incomplete, std::string_view failure, uint64_t time_ns, bool by_client) {
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
        exchange.closed_by_client = by_client;
        exchange.response.body_bytes = body_so_far(entry, Sender::kServer, exchange);
      }
      if (!exchange.request.complete && exchange.response.complete &&
          (incomplete == exchange::kBytesLost || lacks_shown(entry, Sender::kClient)))
        exchange.incomplete |= exchange::kBytesLost;
      if (!exchange.request.complete && !exchange.response.complete)
        exchange.request.body_bytes = body_so_far(entry, Sender::kClient, exchange);
      uint64_t end_ns = std::max(exchange.request.last_byte_ns, exchange.response.last_byte_ns);
      if (!exchange.response.complete)
        end_ns = std::max({end_ns, time_ns, entry.half(answers).stream.time_latest(), entry.half(opposite(answers)).stream.time_latest()});
      deliver(entry, exchange, end_ns);
    }
    entry.exchanges.erase(exchange);
  }
}

// When the peer last moved, this one had moved further than was shown.
bool Connections::lacks_shown(const Entry& entry, Sender sender) {
  const Direction direction = entry.direction(sender);
  const uint64_t moved_to = entry.half(opposite(direction)).other_position;
  const auto shown_to = static_cast<uint32_t>(entry.half(direction).stream.known_end());
  return moved_to != capture::Bytes::kNoPosition && static_cast<int32_t>(static_cast<uint32_t>(moved_to) - shown_to) > 0;
}

void Connections::tick(uint64_t now_ns) {
  if (is_ahead(latest_ns_, now_ns)) latest_ns_ = now_ns;
  release(now_ns);
  for (size_t i = 0; i < waiting_.size();) {
    const auto it = by_id_.find(waiting_[i]);
    bool keep = false;
    if (it != by_id_.end()) {
      Entry& entry = *it->second;
      entry.exchanges.for_each([&](Exchange& exchange) {
        if (!exchange.response.complete || exchange.delivered) return;
        if (exchange.response.last_byte_ns + limits_.early_response_wait_ns <= now_ns || is_ahead(exchange.response.last_byte_ns, now_ns)) {
          exchange.request.body_bytes = body_so_far(entry, Sender::kClient, exchange);
          if (lacks_shown(entry, Sender::kClient)) exchange.incomplete |= exchange::kBytesLost;
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
