// SPDX-License-Identifier: Apache-2.0
// One direction of a connection: which bytes are at hand for the parser, which were passed over, and when each of them came.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clew::stream {

class Stream {
 public:
  /// What arrived lies behind bytes that nobody showed and no parser asked to skip.
  enum class Arrival : uint8_t { kInOrder, kHole, kNothingNew, kOverflow };

  /// Most bytes that wait for a parser: a head of the largest size and the read that completes it.
  static constexpr size_t kBufferMax = 160 * 1024;

  /// Takes what the source shows. `bytes` must stay valid until the next call of any member but available(), consume(), skip():
  /// they are copied only if a parser leaves some of them for later, through keep_rest().
  Arrival arrive(uint64_t position, std::string_view bytes, uint64_t advanced_to, uint64_t time_ns);

  /// The bytes that follow what was consumed and skipped; empty while a skip goes on or nothing is there.
  std::string_view available() const;

  void consume(size_t bytes);
  /// The next `bytes` bytes need not be shown. UINT64_MAX: none of the rest.
  void skip(uint64_t bytes);
  bool skipping() const { return skip_ > 0; }
  /// Bytes passed over since skip() was called.
  uint64_t skipped() const { return skipped_; }

  /// Forgets what is at hand and goes on with the bytes at `position`.
  void restart_at(uint64_t position);

  /// Gives its memory back: nobody will ask for bytes again.
  void forget();

  /// Call when the parser wants no more for now: copies what is left of the last arrival.
  void keep_rest();

  /// Time at which the next byte to be consumed arrived, and the last byte that was consumed or skipped.
  uint64_t time_of_next() const;
  uint64_t time_of_last() const { return time_of_last_; }
  /// Time of the latest arrival.
  uint64_t time_latest() const { return time_latest_; }

  uint64_t position() const { return position_; }
  uint64_t known_end() const { return end_; }
  /// Behind what is at hand: a byte at `position` would not follow it.
  bool lies_behind(uint64_t position) const { return kept() + fresh_.size() > 0 && position > shown_end_; }
  size_t memory_bytes() const { return kept_.capacity() + marks_.capacity() * sizeof(Mark); }

 private:
  struct Mark {
    uint64_t end;  // bytes before this position came at …
    uint64_t time_ns;
  };
  static constexpr size_t kMarksMax = 256;  // what comes in more pieces than that counts as come with the last of them

  void pass_skipped();
  size_t kept() const { return kept_.size() - kept_begin_; }
  void drop_kept(size_t bytes);
  void compact();

  uint64_t position_ = 0;   // of the next byte to consume
  uint64_t end_ = 0;        // the direction has advanced to here, shown or not
  uint64_t shown_end_ = 0;  // behind the last byte at hand
  uint64_t skip_ = 0;
  uint64_t skipped_ = 0;
  uint64_t time_of_last_ = 0;
  uint64_t time_latest_ = 0;
  std::string kept_;         // from kept_begin_ on: bytes [position_, shown_end_) if not in fresh_
  size_t kept_begin_ = 0;    // moved to the front only where more is added: a piece may hold thousands of messages
  std::string_view fresh_;   // the same, still in the source's memory
  std::vector<Mark> marks_;  // only while bytes are kept over several arrivals
};

}  // namespace clew::stream
