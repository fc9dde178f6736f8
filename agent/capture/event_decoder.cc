// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/event_decoder.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "bpf/events.h"

namespace clew::capture {
namespace {

// A copy: recordings are not aligned, and a load from the ring is one anyway.
template <class T>
bool load(std::span<const std::byte> event, T& out) {
  if (event.size() < sizeof(T)) return false;
  std::memcpy(&out, event.data(), sizeof(T));
  return true;
}

std::string unix_path(const clew_u8* path, size_t length) {
  std::string text(reinterpret_cast<const char*>(path), std::min<size_t>(length, CLEW_PATH_SIZE));
  if (!text.empty() && text[0] == '\0') {
    text[0] = '@';
  } else {
    text.resize(std::min(text.size(), text.find('\0')));
  }
  std::ranges::replace(text, '\0', '@');
  return text;
}

Endpoint endpoint(uint8_t family, uint16_t port, const clew_u8 (&address)[16], const clew_u8* path, uint16_t path_length) {
  Endpoint e;
  e.family = static_cast<Family>(family);
  e.port = port;
  std::copy(std::begin(address), std::end(address), e.address.begin());
  if (family == CLEW_FAMILY_UNIX) e.path = unix_path(path, path_length);
  return e;
}

// Of a connection that is a TLS session's plaintext? All these events have its id at the same place but one.
bool is_tls(std::span<const std::byte> event) {
  uint64_t connection = 0;
  static_assert(offsetof(clew_event_data, connection) == offsetof(clew_event_connection, connection) &&
                offsetof(clew_event_data, connection) == offsetof(clew_event_end, connection));
  const auto type = static_cast<uint8_t>(event[0]);
  if (type != CLEW_EVENT_DATA && type != CLEW_EVENT_CONNECTION && type != CLEW_EVENT_END) return false;
  if (event.size() < offsetof(clew_event_data, connection) + sizeof connection) return false;
  std::memcpy(&connection, event.data() + offsetof(clew_event_data, connection), sizeof connection);
  return (connection & CLEW_TLS_CONNECTION) != 0;
}

Execution execution_of(const clew_execution& e) { return {.runtime = e.runtime, .words = {e.words[0], e.words[1], e.words[2]}}; }

}  // namespace

EventDecoder::EventDecoder(Sink& sink, ProcessSink& processes, base::Counters& counters)
    : sink_(sink),
      processes_(processes),
      events_(counters.get("clew_events_total", "source=\"socket\"")),
      tls_events_(counters.get("clew_events_total", "source=\"tls\"")) {}

bool EventDecoder::decode(std::span<const std::byte> event) {
  if (event.empty()) return false;
  (is_tls(event) ? tls_events_ : events_).add();
  switch (static_cast<uint8_t>(event[0])) {
    case CLEW_EVENT_DATA: return data(event);
    case CLEW_EVENT_CONNECTION: return connection(event);
    case CLEW_EVENT_END: return end(event);
    case CLEW_EVENT_PROCESS: return process(event);
    case CLEW_EVENT_CONNECT: return connect(event);
    case CLEW_EVENT_RUNTIME: return runtime(event);
    case CLEW_EVENT_CARRIED: return carried(event);
    default: return false;
  }
}

bool EventDecoder::data(std::span<const std::byte> event) {
  clew_event_data e;
  if (!load(event, e) || (e.direction & ~(CLEW_BLOCKING | CLEW_EXECUTION | CLEW_INJECTED | CLEW_UPDATED | CLEW_BEGINS | CLEW_LOST)) > 1)
    return false;
  Bytes bytes;
  std::span<const std::byte> rest = event.subspan(sizeof e);
  if ((e.direction & CLEW_EXECUTION) != 0) {
    clew_execution execution;
    if (!load(rest, execution)) return false;
    bytes.execution = execution_of(execution);
    rest = rest.subspan(sizeof execution);
  }
  if (rest.size() < e.length) return false;
  bytes.connection = e.connection;
  bytes.direction = static_cast<Direction>(e.direction & 1);
  bytes.blocking = (e.direction & CLEW_BLOCKING) != 0;
  if ((e.direction & (CLEW_INJECTED | CLEW_UPDATED)) != 0)
    bytes.injected = (e.direction & CLEW_INJECTED) != 0 ? Bytes::Injected::kAdded : Bytes::Injected::kUpdated;
  bytes.begins_message = (e.direction & CLEW_BEGINS) != 0;
  bytes.after_loss = (e.direction & CLEW_LOST) != 0;
  bytes.position = e.position;
  bytes.time_ns = unix_time(e.time_ns);
  bytes.process_id = e.tgid;
  bytes.thread_id = e.tid;
  bytes.bytes = {reinterpret_cast<const char*>(rest.data()), e.length};
  bytes.advanced_to = e.advanced_to;
  bytes.other_position = e.other_position;
  sink_.bytes(bytes);
  return true;
}

bool EventDecoder::connection(std::span<const std::byte> event) {
  clew_event_connection e;
  if (!load(event, e)) return false;
  Connection c;
  c.id = e.connection;
  c.local = endpoint(e.family, e.local_port, e.local_address, e.local_path, e.local_path_length);
  c.peer = endpoint(e.family, e.peer_port, e.peer_address, e.peer_path, e.peer_path_length);
  c.role = e.role <= CLEW_ROLE_SERVER ? static_cast<Role>(e.role) : Role::kUnknown;
  c.from_start = (e.flags & CLEW_CONNECTION_FROM_START) != 0;
  c.is_tls = (e.flags & CLEW_CONNECTION_TLS) != 0;
  c.tls_version = e.flags >> CLEW_CONNECTION_VERSION_SHIFT;
  if (c.is_tls)  // positions of plaintext are those of the other end only if both have seen all of it
    c.has_base = c.from_start;
  else
    c.has_base = e.family != CLEW_FAMILY_UNIX ? (e.base[0] | e.base[1]) != 0 : e.base[0] != 0 && e.base[1] != 0;  // MPTCP has none
  std::copy(std::begin(e.base), std::end(e.base), c.base.begin());
  if (c.is_tls)  // another stream than that of the socket, which may have begun in plain text (CONNECT)
    for (uint32_t& base : c.base) base = ~base;
  c.time_ns = unix_time(e.time_ns);
  sink_.connection(c);
  return true;
}

bool EventDecoder::end(std::span<const std::byte> event) {
  clew_event_end e;
  if (!load(event, e) || e.direction > 1) return false;
  // How far each direction came, before it ends. Where one ends, a call of the other may be under way, and not shown yet.
  for (uint8_t d = 0; d < 2; ++d) {
    if (e.last_time_ns[d] == 0 || (e.kind == CLEW_END_DIRECTION && d != e.direction)) continue;
    Bytes bytes;
    bytes.connection = e.connection;
    bytes.direction = static_cast<Direction>(d);
    bytes.position = e.position[d];
    bytes.advanced_to = e.position[d];
    bytes.time_ns = unix_time(e.last_time_ns[d]);
    bytes.process_id = e.tgid;
    sink_.bytes(bytes);
  }
  End end;
  end.connection = e.connection;
  end.direction = static_cast<Direction>(e.direction);
  end.time_ns = unix_time(e.time_ns);
  switch (e.kind) {
    case CLEW_END_DIRECTION: end.kind = End::Kind::kDirection; break;
    case CLEW_END_CLOSED: end.kind = End::Kind::kClosed; break;
    case CLEW_END_RESET: end.kind = End::Kind::kReset; break;
    default: return false;
  }
  sink_.end(end);
  return true;
}

bool EventDecoder::connect(std::span<const std::byte> event) {
  clew_event_connect e;
  if (!load(event, e)) return false;
  sink_.connecting({.connection = e.connection, .process_id = e.tgid, .thread_id = e.tid, .turn = e.turn, .time_ns = unix_time(e.time_ns)});
  return true;
}

bool EventDecoder::runtime(std::span<const std::byte> event) {
  clew_event_runtime e;
  if (!load(event, e)) return false;
  sink_.noted(
      {.what = e.what, .execution = execution_of(e.execution), .process_id = e.tgid, .thread_id = e.tid, .time_ns = unix_time(e.time_ns)});
  return true;
}

bool EventDecoder::carried(std::span<const std::byte> event) {
  clew_event_carried e;
  if (!load(event, e) || e.direction > 1) return false;
  Carried c;
  c.connection = e.connection;
  c.direction = static_cast<Direction>(e.direction);
  c.sequence = e.sequence;
  c.low_half = e.is_tls != 0;
  c.sampled = e.sampled != 0;
  std::ranges::copy(e.trace_id, c.trace_id.begin());
  std::ranges::copy(e.span_id, c.span_id.begin());
  c.time_ns = unix_time(e.time_ns);
  sink_.carried(c);
  return true;
}

bool EventDecoder::process(std::span<const std::byte> event) {
  clew_event_process e;
  if (!load(event, e) || e.change < CLEW_PROCESS_FORK || e.change > CLEW_PROCESS_RUNTIME) return false;
  ProcessChange change;
  change.kind = static_cast<ProcessChange::Kind>(e.change);
  change.process_id = e.tgid;
  change.parent_process_id = e.parent_tgid;
  change.port = e.port;
  change.selected = e.selected != 0;
  change.comm = {e.comm, strnlen(e.comm, sizeof e.comm)};
  change.time_ns = unix_time(e.time_ns);
  processes_.process(change);
  return true;
}

}  // namespace clew::capture
