// SPDX-License-Identifier: Apache-2.0
// What every source of traffic (the kernel, a recording, a packet capture) tells the pipeline: connections, bytes and positions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace clew::capture {

/// Seen from the traced process: what it received, what it sent. In a packet capture the "process" is the server.
enum class Direction : uint8_t { kIngress = 0, kEgress = 1 };
inline Direction opposite(Direction d) { return d == Direction::kIngress ? Direction::kEgress : Direction::kIngress; }

/// Who opened the connection, seen from the traced process. kUnknown until a protocol tells requests from responses.
enum class Role : uint8_t { kUnknown = 0, kClient = 1, kServer = 2 };

enum class Family : uint8_t { kUnknown = 0, kIpv4 = 4, kIpv6 = 6, kUnix = 1 };

struct Endpoint {
  Family family = Family::kUnknown;
  uint16_t port = 0;                  // host byte order; 0 for Unix sockets
  std::array<uint8_t, 16> address{};  // IPv4 in the first four bytes
  std::string path;                   // Unix sockets: may be empty (unnamed); a leading '@' marks an abstract name
};

struct Connection {
  uint64_t id = 0;  // unique among all connections of the source
  Endpoint local;   // of the traced process; in a packet capture, of the server as far as known
  Endpoint peer;
  Role role = Role::kUnknown;
  bool from_start = false;  // position 0 of both directions will be seen
  /// By Direction, TCP: sequence number of the first byte; Unix sockets: a number for the sender. The other end knows the same two, the
  /// other way round.
  std::array<uint32_t, 2> base{};
  bool has_base = false;
  bool is_tls = false;      // the plaintext of a TLS session; the socket has another connection, which may be told of, too
  uint8_t tls_version = 0;  // 1 to 4: TLS 1.0 to 1.3, 0: not known
  bool passive = false;     // a packet capture: no process; every exchange gives one SERVER span
  uint64_t time_ns = 0;
};

/// What a runtime shows of the execution (goroutine, task, callback) that made a call.
struct Execution {
  uint32_t runtime = 0;  // enum clew_runtime
  std::array<uint64_t, 3> words{};
};

/// Bytes of one direction. Positions count the bytes of that direction since the connection began; the source gives each direction's
/// bytes in order. A gap between the end of one and the position of the next was passed over in the kernel (a body) or lost: the
/// parser's own framing says which.
struct Bytes {
  uint64_t connection = 0;
  Direction direction = Direction::kIngress;
  uint64_t position = 0;
  uint64_t time_ns = 0;  // Unix time in nanoseconds
  uint32_t process_id = 0;
  uint32_t thread_id = 0;
  bool blocking = false;  // the call would have waited for bytes
  /// What clew has done to the request whose head ends here.
  enum class Injected : uint8_t {
    kNothing,
    kAdded,    // a trace context, which is among the bytes
    kUpdated,  // it passes on a context; on the wire, not among these bytes, the parent in it is the request's own span
  };
  Injected injected = Injected::kNothing;
  Execution execution{};
  bool begins_message = false;  // the source has followed the stream: a message (a frame) begins with the first of these bytes
  bool after_loss = false;      // before this call events were lost, of whatever connection or process
  std::string_view bytes;       // empty: only says that the direction has advanced to `position` at `time_ns`
  /// Up to here the direction has advanced with this call; what lies behind `bytes` will not be shown. 0: nothing behind them.
  uint64_t advanced_to = 0;
  /// Where the other direction stood when this call ended; bytes of it from there on were moved later. kNoPosition: not known.
  uint64_t other_position = kNoPosition;

  static constexpr uint64_t kNoPosition = UINT64_MAX;
};

/// A thread has called connect(); the connection is announced later, with its first bytes.
struct Connecting {
  uint64_t connection = 0;
  uint32_t process_id = 0;
  uint32_t thread_id = 0;
  uint64_t turn = 0;  // of the thread's loop; 0: not known
  uint64_t time_ns = 0;
};

/// A request's trace context that goes beside its bytes, in a TCP option. Told before them; of what was sent encrypted, right behind them.
struct Carried {
  uint64_t connection = 0;
  Direction direction = Direction::kIngress;  // kEgress: clew has sent it
  uint32_t sequence = 0;                      // number of the request's first byte …
  bool low_half = false;                      // … of which 16 bits are there
  bool sampled = false;
  std::array<uint8_t, 16> trace_id{};
  std::array<uint8_t, 8> span_id{};  // of the client's span
  uint64_t time_ns = 0;
};

/// Something happened inside a runtime, told by a probe.
struct RuntimeNote {
  uint8_t what = 0;  // the runtime's
  Execution execution{};
  uint32_t process_id = 0;
  uint32_t thread_id = 0;
  uint64_t time_ns = 0;
};

/// One direction, or the whole connection, has ended.
struct End {
  enum class Kind : uint8_t {
    kDirection,  // `direction` will carry no more bytes (FIN, EOF, shutdown)
    kClosed,     // both are over
    kReset,      // both are over, by a reset or an error
    kTracer,     // nothing happened to it: the source stops looking (detach, end of file)
  };
  uint64_t connection = 0;
  Kind kind = Kind::kClosed;
  Direction direction = Direction::kIngress;
  uint64_t time_ns = 0;
};

/// The pipeline, seen from a source. Called from one thread.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void connection(const Connection& connection) = 0;
  virtual void bytes(const Bytes& bytes) = 0;
  virtual void end(const End& end) = 0;
  virtual void connecting(const Connecting& /*connecting*/) {}
  virtual void noted(const RuntimeNote& /*note*/) {}
  virtual void carried(const Carried& /*carried*/) {}
};

}  // namespace clew::capture
