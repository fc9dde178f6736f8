// SPDX-License-Identifier: Apache-2.0
// For tests: a Sink that keeps what it is told and checks what every source promises: bytes in order, none twice, none after the end.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/capture/source.h"

namespace clew::replay::testing {

class RecordingSink : public capture::Sink {
 public:
  struct Chunk {
    uint64_t position;
    uint64_t time_ns;
    std::string bytes;
  };
  struct Stream {
    std::vector<Chunk> chunks;
    uint64_t end = 0;  // position up to which it has advanced
    bool over = false;
    std::string text;  // the bytes, with a hole of n bytes as <n>
  };

  void connection(const capture::Connection& connection) override {
    EXPECT_TRUE(by_id_.emplace(connection.id, connections.size()).second) << "id given twice: " << connection.id;
    connections.push_back(connection);
  }
  void bytes(const capture::Bytes& bytes) override {
    EXPECT_TRUE(by_id_.contains(bytes.connection));
    EXPECT_FALSE(closed.contains(bytes.connection));
    Stream& stream = streams[{bytes.connection, bytes.direction}];
    EXPECT_FALSE(stream.over) << "bytes after the end";
    ASSERT_GE(bytes.position, stream.end) << "bytes given twice or out of order";
    if (bytes.position > stream.end) stream.text += "<" + std::to_string(bytes.position - stream.end) + ">";
    stream.text += bytes.bytes;
    stream.end = bytes.position + bytes.bytes.size();
    stream.chunks.push_back({bytes.position, bytes.time_ns, std::string(bytes.bytes)});
    calls.push_back(name(bytes.connection, bytes.direction) + ":" + std::string(bytes.bytes));
  }
  void end(const capture::End& end) override {
    EXPECT_TRUE(by_id_.contains(end.connection));
    EXPECT_FALSE(closed.contains(end.connection)) << "ended twice";
    if (end.kind == capture::End::Kind::kDirection) {
      EXPECT_FALSE(std::exchange(streams[{end.connection, end.direction}].over, true));
      calls.push_back(name(end.connection, end.direction) + ":end");
      return;
    }
    closed[end.connection] = end.kind;
  }

  const Stream& in(uint64_t connection = 1) { return streams[{connection, capture::Direction::kIngress}]; }
  const Stream& out(uint64_t connection = 1) { return streams[{connection, capture::Direction::kEgress}]; }

  std::vector<capture::Connection> connections;
  std::map<std::pair<uint64_t, capture::Direction>, Stream> streams;
  std::map<uint64_t, capture::End::Kind> closed;
  std::vector<std::string> calls;  // "in:GET", "out:end" … in order, of connection 1; others as "2in:…"

 private:
  static std::string name(uint64_t connection, capture::Direction direction) {
    return (connection == 1 ? "" : std::to_string(connection)) + (direction == capture::Direction::kIngress ? "in" : "out");
  }
  std::map<uint64_t, size_t> by_id_;
};

}  // namespace clew::replay::testing
