// SPDX-License-Identifier: Apache-2.0
// The checks behind contract.h.
#include "protocols/testing/contract.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "protocols/testing/driver.h"

namespace clew::protocols::testing {
namespace {

using Pieces = std::vector<Piece>;

constexpr size_t kGuardedCapacity = size_t{1} << 20;

struct Played {
  Transcript transcript;
  std::vector<SkippedRange> skipped;
};

Played play(const Protocol& protocol, const Pieces& pieces, GuardedBytes& memory, bool from_start = true) {
  Driver driver(protocol, from_start, memory);
  driver.play(pieces);
  Played played;
  played.transcript = driver.finish();
  played.skipped = driver.skipped();
  return played;
}

Pieces split_at(const Pieces& pieces, size_t index, size_t offset) {
  Pieces split(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  split.insert(split.end(), pieces.begin() + static_cast<std::ptrdiff_t>(index), pieces.end());
  split[index].bytes.resize(offset);
  split[index + 1].bytes.erase(0, offset);
  return split;
}

Pieces byte_by_byte(const Pieces& pieces) {
  Pieces split;
  for (const Piece& piece : pieces) {
    if (piece.kind != Piece::Kind::kBytes) split.push_back(piece);
    for (char byte : piece.bytes) split.push_back({piece.kind, piece.sender, std::string(1, byte), 0});
  }
  return split;
}

Pieces one_per_turn(const Pieces& pieces) {
  Pieces merged;
  for (const Piece& piece : pieces) {
    const bool joins = !merged.empty() && piece.kind == Piece::Kind::kBytes && merged.back().kind == Piece::Kind::kBytes &&
                       merged.back().sender == piece.sender;
    if (joins)
      merged.back().bytes += piece.bytes;
    else
      merged.push_back(piece);
  }
  return merged;
}

/// What was to be skipped becomes bytes that would confuse whoever looked at them.
Pieces hide(Pieces pieces, const std::vector<SkippedRange>& ranges, std::string_view confusing) {
  uint64_t positions[2] = {0, 0};
  for (Piece& piece : pieces) {
    uint64_t& position = positions[static_cast<size_t>(piece.sender)];
    position += piece.lost;
    for (char& byte : piece.bytes) {
      for (const SkippedRange& range : ranges)
        if (range.sender == piece.sender && position >= range.begin && position < range.end)
          byte = confusing[(position - range.begin) % confusing.size()];
      ++position;
    }
  }
  return pieces;
}

/// A head of which fields are not known says less, and never anything else. Its name follows from what it says.
bool says_no_more(const std::string& part, const std::string& whole) {
  if (part == whole) return true;
  const std::string all = whole.substr(std::min(whole.size(), whole.find(' '))) + ' ';
  std::istringstream words(part.substr(std::min(part.size(), part.find(' '))));
  for (std::string word; words >> word;)
    if (all.find(' ' + word + ' ') == std::string::npos) return false;
  return true;
}

bool is_subsequence(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  auto at = whole.begin();
  for (const std::string& line : part) {
    at = std::find_if(at, whole.end(), [&](const std::string& other) { return says_no_more(line, other); });
    if (at == whole.end()) return false;
    ++at;
  }
  return true;
}

void expect_nothing_invented(const Protocol& protocol, const Pieces& pieces, const Transcript& whole, GuardedBytes& memory) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string& bytes = pieces[i].bytes;
    for (size_t hole = 0; hole < bytes.size(); ++hole) {
      for (const size_t length : {size_t{1}, size_t{7}, size_t{40}}) {
        Pieces holed = split_at(pieces, i, hole);
        const size_t missing = std::min(length, bytes.size() - hole);
        holed[i + 1].bytes.erase(0, missing);
        holed.insert(holed.begin() + static_cast<std::ptrdiff_t>(i) + 1, {Piece::Kind::kLost, pieces[i].sender, {}, missing});
        const Transcript rest = play(protocol, holed, memory).transcript;
        ASSERT_EQ(rest.violation, "") << "hole of " << length << " at byte " << hole << " of piece " << i;
        for (size_t sender = 0; sender < 2; ++sender)
          ASSERT_TRUE(is_subsequence(rest.heads[sender], whole.heads[sender]))
              << "hole of " << length << " at byte " << hole << " of piece " << i << ": " << ::testing::PrintToString(rest.heads[sender]);
      }
    }
  }
}

void expect_exchange(const std::string& line, const std::string& expected) {
  std::istringstream words(expected);
  std::string word;
  words >> word;
  EXPECT_EQ(line.substr(0, line.find(' ')), word) << line;
  while (words >> word) EXPECT_NE((line + ' ').find(' ' + word + ' '), std::string::npos) << word << " in " << line;
}

std::string quote(std::string_view bytes) { return ::testing::PrintToString(std::string(bytes)); }

}  // namespace

void expect_messages(const Protocol& protocol, const Capture& capture) {
  SCOPED_TRACE(capture.name);
  GuardedBytes memory(kGuardedCapacity);
  const Pieces& pieces = capture.pieces;
  const Played played = play(protocol, pieces, memory);
  const Transcript& whole = played.transcript;
  ASSERT_EQ(whole.violation, "");
  ASSERT_FALSE(capture.expects_nothing()) << "a capture says what it expects";
  ASSERT_EQ(whole.client, capture.client);
  ASSERT_EQ(whole.server, capture.server);
  ASSERT_EQ(whole.exchanges.size(), capture.exchanges.size());
  for (size_t i = 0; i < whole.exchanges.size(); ++i) expect_exchange(whole.exchanges[i], capture.exchanges[i]);

  for (size_t i = 0; i < pieces.size(); ++i)
    for (size_t offset = 1; offset < pieces[i].bytes.size(); ++offset)
      ASSERT_EQ(play(protocol, split_at(pieces, i, offset), memory).transcript, whole) << "split at byte " << offset << " of piece " << i;
  ASSERT_EQ(play(protocol, byte_by_byte(pieces), memory).transcript, whole);
  ASSERT_EQ(play(protocol, one_per_turn(pieces), memory).transcript, whole);
  for (const std::string& confusing : {std::string(1, '\0'), std::string("\n"), "\r\n\r\n" + capture.bytes_of(Sender::kClient)})
    ASSERT_EQ(play(protocol, hide(pieces, played.skipped, confusing), memory).transcript, whole) << "with hidden bodies";
  if (!capture.has_decoys) expect_nothing_invented(protocol, one_per_turn(pieces), whole, memory);
}

void expect_claimed_only_by(const Protocol& owner, const ProtocolList& all, const Capture& capture) {
  SCOPED_TRACE(capture.name);
  GuardedBytes memory(kGuardedCapacity);
  for (const Sender sender : {Sender::kClient, Sender::kServer}) {
    const std::string bytes = capture.bytes_of(sender);
    if (bytes.empty()) continue;
    for (size_t length = 1; length <= bytes.size(); ++length) {
      const std::string_view beginning = memory.place(std::string_view(bytes).substr(0, length));
      ASSERT_NE(owner.classify(sender, beginning), Claim::kNo) << quote(beginning);
      const Classification classification = classify_all(all, sender, beginning);
      if (classification.kind != Classification::Kind::kFound) continue;
      ASSERT_EQ(classification.protocol->name(), owner.name());
    }
    const Classification classification = classify_all(all, sender, memory.place(bytes));
    ASSERT_EQ(classification.kind, Classification::Kind::kFound) << quote(bytes);
    ASSERT_EQ(classification.protocol->name(), owner.name());
  }
}

void expect_claimed_by_nobody(const ProtocolList& all, const Capture& capture) {
  SCOPED_TRACE(capture.name);
  GuardedBytes memory(kGuardedCapacity);
  for (const Sender sender : {Sender::kClient, Sender::kServer}) {
    const std::string bytes = capture.bytes_of(sender);
    for (size_t length = 0; length <= bytes.size(); ++length) {
      const std::string_view beginning = memory.place(std::string_view(bytes).substr(0, length));
      for (const Sender seen_as : {Sender::kClient, Sender::kServer})
        ASSERT_NE(classify_all(all, seen_as, beginning).kind, Classification::Kind::kFound) << quote(beginning);
    }
  }
  for (const auto& protocol : all) {
    for (const bool from_start : {true, false}) {
      const Transcript transcript = play(*protocol, capture.pieces, memory, from_start).transcript;
      EXPECT_EQ(transcript.violation, "") << protocol->name();
      EXPECT_TRUE(transcript.exchanges.empty()) << protocol->name() << ": " << ::testing::PrintToString(transcript.exchanges);
      EXPECT_TRUE(transcript.heads[1].empty()) << protocol->name();
    }
  }
}

}  // namespace clew::protocols::testing
