// SPDX-License-Identifier: Apache-2.0
// What a protocol offers to the agent: a classifier, a parser per connection, and the words for its spans.
// One folder per protocol, one line in list.def; nothing here knows of sockets, threads, clocks or exporters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "protocols/message.h"

namespace clew::protocols {

/// How sure a classifier is that bytes at the start of a message are its protocol. A strong answer wins at once; a weak one only
/// when no other protocol can still become strong, so the order in list.def does not matter.
enum class Claim : uint8_t { kNo, kNeedMore, kWeak, kStrong };

/// One step of a parser.
struct Step {
  enum class Kind : uint8_t {
    kNeedMore,   // nothing can be said before more bytes arrive. `consumed` bytes (may be 0) are done with, the rest is given again
    kHead,       // the head of a message lies in the first `consumed` bytes; `head` holds it
    kEnd,        // a message is complete; `consumed` bytes (may be 0) belonged to it
    kSkip,       // after `consumed` bytes the next `skip` bytes are a body: they need not be shown, only passed over
    kAwaitPeer,  // cannot go on before the other direction has been parsed further (a response whose request is still unknown)
    kAbort,      // the exchange of `stream_id` is over, whatever is still missing. `reason`: the error code's name, a literal
    kInvalid,    // the bytes after `consumed` are not this protocol, or break its rules. `reason`: a literal for a counter. Call resync().
                 // With a stream_id: nothing is wrong but with that one, which gives nothing (more). Not to be resynced
    kOpaque,     // from here on the connection speaks something else (upgrade, CONNECT): parse nothing more in either direction
  };
  Kind kind = Kind::kNeedMore;
  size_t consumed = 0;
  /// kSkip; with kHead the body that begins behind the head, as far as that is known already. kSkipToClose: until the connection ends.
  uint64_t skip = 0;
  /// Which exchange it belongs to (kHead, kEnd, kAbort): requests and responses of one id are paired in order. 0 where a protocol has no
  /// ids; any other stands for one exchange of the connection only.
  uint64_t stream_id = 0;
  /// kHead only: which way it goes, and whether a final response is still to come after it (1xx). An interim head has no kEnd.
  bool is_request = false;
  bool is_interim = false;
  /// kHead only: it is the whole message; no kEnd comes.
  bool is_whole = false;
  /// kHead, kEnd, kAbort: fields of it were sent in a form that is not known to those who have joined the connection in the middle.
  bool is_partial = false;
  HeadPointer head;  // the same one again, if the parser sees that it says the same as an earlier one of this connection
  /// kEnd of a response, kHead of a whole one, kAbort: what followed its body, if anything.
  HeadPointer tail;
  /// kHead of a request only: its fields of kContextFieldNames, in their order, as views into `bytes`. The list is the parser's own,
  /// until the next call.
  std::span<const HeaderField> context_fields;
  /// kEnd: bytes of the body, without framing. kAbort: of the request's so far; `other_bytes`: of the response's.
  uint64_t body_bytes = 0;
  uint64_t other_bytes = 0;
  /// kAbort: the client has given it up.
  bool by_client = false;
  /// kEnd, and kHead of a whole message: without further bytes the answer would be kNeedMore, and need not be asked for.
  bool is_last = false;
  /// kInvalid: why, as a literal ("bad_chunk_size"). kOpaque: the same, where the connection should have gone on. kAbort: see there.
  std::string_view reason;

  static constexpr uint64_t kSkipToClose = UINT64_MAX;
};

/// Both directions of one connection. Not thread-safe; no clock, no I/O, no log, no globals.
///
/// The agent calls parse(sender, bytes) with the bytes that follow what was consumed and skipped before in that direction, again
/// and again until it answers kNeedMore (or kAwaitPeer, kOpaque). How the bytes were cut into reads makes no difference to what
/// comes out. Steps that need no bytes (kSkip, kEnd of an empty body) come also for empty `bytes`. After kSkip the agent passes over that
/// many bytes itself, whether it has seen them or not.
class Parser {
 public:
  virtual ~Parser() = default;

  virtual Step parse(Sender sender, std::string_view bytes) = 0;

  /// Bytes of this direction are missing, or were invalid. The parser forgets the message it was in and everything that it
  /// expected in this direction. Returns how many of `bytes` to drop before the next place where a message may start:
  /// bytes.size() if there is none.
  virtual size_t resync(Sender sender, std::string_view bytes) = 0;

  /// The agent has dropped what it had shown of an unfinished head in this direction: the next bytes begin a message. Requests that
  /// wait for a response go on waiting.
  virtual void restart(Sender sender) { resync(sender, {}); }

  /// Of the requests that wait for a response only the latest does: those to the others have passed, or are lost.
  virtual void forget_earlier_requests() {}

  /// The sender will send nothing more. True if that completes the message that was under way (a body that ends with the
  /// connection); the agent then treats it as kEnd with `body_bytes` as counted by itself.
  virtual bool finish(Sender sender) = 0;

  /// It looks for the start of a message in bytes of this direction that may be anything. If somebody knows where one begins: restart().
  virtual bool is_hunting(Sender /*sender*/) const { return false; }

  /// Its exchanges have ids and end in any order: what is wrong with one, and a hole, does not shift the others. After kInvalid and after
  /// resync() none of them is under way any more, for the parser.
  virtual bool is_multiplexed() const { return false; }
  /// Bytes so far of a body that has not ended. `skipped`: that have passed of the latest kSkip in this direction.
  virtual uint64_t body_bytes(Sender /*sender*/, uint64_t /*stream_id*/, uint64_t skipped) const { return skipped; }

  /// Bytes of memory held, for the agent's bound.
  virtual size_t memory_bytes() const = 0;
};

class Protocol {
 public:
  virtual ~Protocol() = default;

  /// "http", for counters and options.
  virtual std::string_view name() const = 0;

  /// Do these bytes, seen at what may be the start of a message, belong to this protocol? Pure.
  virtual Claim classify(Sender sender, std::string_view bytes) const = 0;

  /// A parser for a connection. `from_start`: its first byte will be seen; else it was joined in the middle, and a response may
  /// come whose request was never seen.
  virtual std::unique_ptr<Parser> make_parser(bool from_start) const = 0;

  /// What an exchange is counted as, where that is not the protocol's own name (a call over HTTP). A literal.
  virtual std::string_view name_of(const Head* /*request*/, const Head* /*response*/) const { return name(); }

  /// The words for a finished exchange, by the semantic conventions.
  virtual Description describe(const ExchangeFacts& facts) const = 0;

  /// Looks up the environment variables that concern this protocol (OTEL_INSTRUMENTATION_…). Null: not set. Before the first use.
  virtual void configure(const std::function<const char*(const char*)>& /*lookup*/) {}
};

}  // namespace clew::protocols
