// SPDX-License-Identifier: Apache-2.0
// The agent's half of the parser contract, without sockets and clocks.
#include "protocols/testing/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace clew::protocols::testing {
namespace {

/// More steps than this without a byte between them: the parser goes round in circles.
constexpr int kIdleStepsMax = 8;
/// Per connection, whatever comes.
constexpr size_t kParserMemoryMax = 512 * 1024;

}  // namespace

std::string to_line(const Description& description) {
  std::string line = description.name;
  for (size_t i = 0; i < description.attributes.size(); ++i) {
    const base::Attributes::View attribute = description.attributes[i];
    line += fmt::format(" {}=", attribute.key);
    switch (attribute.type) {
      case base::Attributes::Type::kString: line += attribute.text; break;
      case base::Attributes::Type::kInt: line += std::to_string(attribute.integer); break;
      case base::Attributes::Type::kBool: line += attribute.integer != 0 ? "true" : "false"; break;
      case base::Attributes::Type::kDouble: line += fmt::format("{}", attribute.number); break;
      case base::Attributes::Type::kStringArray: line += fmt::format("{}", fmt::join(description.attributes.array(i), ",")); break;
    }
  }
  if (description.is_error) line += " error=true";
  return line;
}

Driver::Driver(const Protocol& protocol, bool from_start, GuardedBytes& memory)
    : protocol_(protocol), parser_(protocol.make_parser(from_start)), memory_(memory) {}

void Driver::violate(std::string what) {
  if (transcript_.violation.empty()) transcript_.violation = std::move(what);
}

void Driver::consume(Stream& stream, size_t count) {
  stream.pending.erase(0, count);
  stream.position += count;
}

void Driver::pass_over(Sender sender, uint64_t count) {
  Stream& s = stream(sender);
  if (count > 0) skipped_.push_back({sender, s.position, count == Step::kSkipToClose ? UINT64_MAX : s.position + count});
  s.skip = count;
}

void Driver::bytes(Sender sender, std::string_view bytes) {
  Stream& s = stream(sender);
  if (s.closed || s.opaque) return;
  if (std::exchange(turn_, sender) != sender) settle(sender);
  if (s.opaque) return;
  s.pending.append(bytes);
  pump(sender);
}

void Driver::lost(Sender sender, uint64_t count) {
  Stream& s = stream(sender);
  if (s.closed || s.opaque || count == 0) return;
  const bool is_skipped = s.skip >= count;
  consume(s, s.pending.size());
  s.position += count;
  if (s.skip == Step::kSkipToClose)
    s.skipped_to_close += count;
  else
    s.skip = is_skipped ? s.skip - count : 0;
  if (!is_skipped) resync(sender);
  pump(sender);
}

void Driver::close(Sender sender) {
  Stream& s = stream(sender);
  if (std::exchange(s.closed, true)) return;
  if (parser_->finish(sender) && s.skip > 0) {
    const std::string line = fmt::format("end {}", s.skipped_to_close);
    lines(sender).push_back(line);
    take_end(sender, 0, s.skipped_to_close, nullptr);
  }
}

void Driver::play(const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    switch (piece.kind) {
      case Piece::Kind::kBytes: bytes(piece.sender, piece.bytes); break;
      case Piece::Kind::kLost: lost(piece.sender, piece.lost); break;
      case Piece::Kind::kClose: close(piece.sender); break;
    }
  }
}

/// Lets a direction that waits for the other go on. Only when the turn changes: which requests a response can belong to depends on
/// what has come before it, and must not depend on how that was cut.
void Driver::settle(Sender first) {
  for (Sender sender = first; stream(sender).waiting; sender = peer_of(sender)) {
    const uint64_t before = stream(sender).position;
    const bool was_opaque = stream(sender).opaque;
    pump(sender);
    if (stream(sender).position == before && stream(sender).opaque == was_opaque) break;
  }
}

void Driver::pump(Sender sender) {
  Stream& s = stream(sender);
  s.waiting = false;
  int idle_steps = 0;
  while (!s.opaque && transcript_.violation.empty()) {
    if (s.skip > 0) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(s.skip, s.pending.size()));
      consume(s, count);
      if (s.skip == Step::kSkipToClose)
        s.skipped_to_close += count;
      else
        s.skip -= count;
      if (s.skip > 0) return;
    }
    Step step = parser_->parse(sender, memory_.place(s.pending));
    if (step.consumed > s.pending.size()) return violate("consumed more than there is");
    if (parser_->memory_bytes() > kParserMemoryMax) return violate("holds too much memory");
    idle_steps = step.consumed > 0 || step.skip > 0 ? 0 : idle_steps + 1;
    if (idle_steps > kIdleStepsMax) return violate("makes no progress");
    if (!take(sender, step)) return;
  }
}

/// False: nothing more to do before something new comes.
bool Driver::take(Sender sender, Step& step) {
  Stream& s = stream(sender);
  consume(s, step.consumed);
  switch (step.kind) {
    case Step::Kind::kNeedMore: return false;
    case Step::Kind::kAwaitPeer: s.waiting = true; return false;
    case Step::Kind::kHead:
      take_head(sender, step);
      if (step.is_whole) {
        lines(sender).emplace_back("end 0");
        take_end(sender, step.stream_id, 0, std::move(step.tail));
      } else if (step.skip > 0) {
        pass_over(sender, step.skip);
      }
      return true;
    case Step::Kind::kEnd:
      lines(sender).push_back(fmt::format("end {}", step.body_bytes));
      take_end(sender, step.stream_id, step.body_bytes, std::move(step.tail));
      return true;
    case Step::Kind::kAbort:
      lines(sender).push_back(fmt::format("abort {}", step.reason));
      take_abort(step);
      return true;
    case Step::Kind::kSkip: pass_over(sender, step.skip); return true;
    case Step::Kind::kInvalid:
      if (step.reason.empty()) violate("invalid without a reason");
      lines(sender).push_back(fmt::format("invalid {}", step.reason));
      if (step.stream_id == 0) resync(sender);
      return true;
    case Step::Kind::kOpaque:
      s.opaque = true;
      lines(sender).emplace_back("opaque");
      return false;
  }
  return false;
}

void Driver::resync(Sender sender) {
  Stream& s = stream(sender);
  if (sender == Sender::kServer && !s.waiting)
    for (Exchange& exchange : exchanges_) exchange.facts.response_complete = true;  // they wait no longer
  if (parser_->is_multiplexed() && !s.waiting)
    for (Exchange& exchange : exchanges_) exchange.facts.request_complete = exchange.facts.response_complete = true;
  const size_t drop = parser_->resync(sender, memory_.place(s.pending));
  if (drop > s.pending.size()) return violate("resync drops more than there is");
  consume(s, drop);
}

void Driver::take_head(Sender sender, Step& step) {
  if (!step.head) return violate("a head without a head");
  if (step.is_request == (sender == Sender::kServer)) return violate("a head in the wrong direction");
  lines(sender).emplace_back(step.is_interim ? "interim" : "head");
  ExchangeFacts alone;
  (step.is_request ? alone.request : alone.response) = step.head.get();
  transcript_.heads[static_cast<size_t>(sender)].push_back(to_line(protocol_.describe(alone)));
  if (step.is_interim) return;
  if (step.is_request) {
    exchanges_.push_back({step.stream_id, std::move(step.head), nullptr, nullptr, {}});
    return;
  }
  for (Exchange& exchange : exchanges_) {
    if (exchange.stream_id != step.stream_id || exchange.response || exchange.facts.response_complete) continue;
    exchange.response = std::move(step.head);
    return;
  }
  violate("a response without a request");
}

void Driver::take_end(Sender sender, uint64_t stream_id, uint64_t body_bytes, HeadPointer tail) {
  for (Exchange& exchange : exchanges_) {
    if (exchange.stream_id != stream_id) continue;
    ExchangeFacts& facts = exchange.facts;
    if (sender == Sender::kClient && !facts.request_complete) {
      facts.request_complete = true;
      facts.request_body_bytes = body_bytes;
      return;
    }
    if (sender == Sender::kServer && exchange.response && !facts.response_complete) {
      facts.response_complete = true;
      facts.response_body_bytes = body_bytes;
      exchange.tail = std::move(tail);
      return;
    }
  }
  violate("an end without a beginning");
}

void Driver::take_abort(Step& step) {
  for (Exchange& exchange : exchanges_) {
    ExchangeFacts& facts = exchange.facts;
    if (exchange.stream_id != step.stream_id || (facts.response_complete && facts.request_complete)) continue;
    if (!facts.request_complete) facts.request_body_bytes = step.body_bytes;
    if (facts.response_complete) return;
    facts.response_body_bytes = step.other_bytes;
    facts.reset = step.reason;
    facts.reset_by_client = step.by_client;
    exchange.tail = std::move(step.tail);
    return;
  }
  violate("an abort without a beginning");
}

Transcript Driver::finish() {
  settle(peer_of(turn_));
  settle(turn_);
  Stream& server = stream(Sender::kServer);
  while (server.waiting && transcript_.violation.empty()) {
    lines(Sender::kServer).emplace_back("orphan");
    resync(Sender::kServer);
    pump(Sender::kServer);
    settle(Sender::kClient);
  }
  close(Sender::kClient);
  close(Sender::kServer);
  for (Exchange& exchange : exchanges_) {
    exchange.facts.request = exchange.request.get();
    exchange.facts.response = exchange.response.get();
    exchange.facts.response_tail = exchange.tail.get();
    transcript_.exchanges.push_back(to_line(protocol_.describe(exchange.facts)));
    exchange.facts.is_client_side = true;
    protocol_.describe(exchange.facts);
  }
  return std::move(transcript_);
}

}  // namespace clew::protocols::testing
