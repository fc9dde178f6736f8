// SPDX-License-Identifier: Apache-2.0
// Connections of TLS sessions, as the kernel side tells of them.
#include "agent/capture/event_decoder.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

#include "bpf/events.h"

namespace clew::capture {
namespace {

class EventDecoderTest : public testing::Test, public Sink, public ProcessSink {
 protected:
  void connection(const Connection& connection) override { connections_.push_back(connection); }
  void bytes(const Bytes& bytes) override { positions_.push_back(bytes.position); }
  void end(const End&) override {}
  void process(const ProcessChange& change) override { changes_.push_back(change.kind); }

  template <class Event>
  bool decode(const Event& event) {
    return decoder_.decode(std::as_bytes(std::span(&event, 1)));
  }
  clew_event_connection announced(uint8_t flags) {
    clew_event_connection e{};
    e.type = CLEW_EVENT_CONNECTION;
    e.family = CLEW_FAMILY_IPV4;
    e.flags = flags;
    e.connection = 7 | ((flags & CLEW_CONNECTION_TLS) != 0 ? CLEW_TLS_CONNECTION : 0);
    e.base[0] = 100;
    e.base[1] = 200;
    return e;
  }

  base::Counters counters_;
  EventDecoder decoder_{*this, *this, counters_};
  std::vector<Connection> connections_;
  std::vector<uint64_t> positions_;
  std::vector<ProcessChange::Kind> changes_;
};

TEST_F(EventDecoderTest, APlainConnectionHasTheSocketsNumbers) {
  ASSERT_TRUE(decode(announced(CLEW_CONNECTION_FROM_START)));
  EXPECT_FALSE(connections_[0].is_tls);
  EXPECT_TRUE(connections_[0].from_start);
  EXPECT_TRUE(connections_[0].has_base);
  EXPECT_EQ(connections_[0].base[0], 100u);
}

TEST_F(EventDecoderTest, AnMptcpConnectionHasNone) {
  clew_event_connection e = announced(CLEW_CONNECTION_FROM_START);
  e.base[0] = e.base[1] = 0;
  ASSERT_TRUE(decode(e));
  EXPECT_FALSE(connections_[0].has_base);
}

TEST_F(EventDecoderTest, ATlsSessionHasOthersThanItsSocket) {
  ASSERT_TRUE(decode(announced(CLEW_CONNECTION_FROM_START | CLEW_CONNECTION_TLS | 3 << CLEW_CONNECTION_VERSION_SHIFT)));
  EXPECT_TRUE(connections_[0].is_tls);
  EXPECT_EQ(connections_[0].tls_version, 3);
  EXPECT_TRUE(connections_[0].has_base);
  EXPECT_EQ(connections_[0].base[0], ~100u);  // both ends do the same
  EXPECT_EQ(connections_[0].base[1], ~200u);
}

TEST_F(EventDecoderTest, ASessionJoinedInTheMiddleNamesNoByte) {
  ASSERT_TRUE(decode(announced(CLEW_CONNECTION_TLS)));
  EXPECT_FALSE(connections_[0].has_base);
}

TEST_F(EventDecoderTest, TheEndOfADirectionSaysNothingOfTheOther) {
  clew_event_end e{};
  e.type = CLEW_EVENT_END;
  e.kind = CLEW_END_DIRECTION;
  e.direction = CLEW_INGRESS;
  e.position[CLEW_INGRESS] = 50;
  e.position[CLEW_EGRESS] = 3000;  // of a call that is not shown yet
  e.last_time_ns[0] = e.last_time_ns[1] = 1000;
  ASSERT_TRUE(decode(e));
  EXPECT_EQ(positions_, std::vector<uint64_t>{50});
  e.kind = CLEW_END_CLOSED;
  ASSERT_TRUE(decode(e));
  EXPECT_EQ(positions_, (std::vector<uint64_t>{50, 50, 3000}));
}

TEST_F(EventDecoderTest, EventsAreCountedByTheirSource) {
  decode(announced(CLEW_CONNECTION_TLS));
  decode(announced(CLEW_CONNECTION_FROM_START));
  clew_event_data data{};
  data.type = CLEW_EVENT_DATA;
  data.connection = 7 | CLEW_TLS_CONNECTION;
  decode(data);
  EXPECT_EQ(counters_.get("clew_events_total", "source=\"tls\"").value(), 2u);
  EXPECT_EQ(counters_.get("clew_events_total", "source=\"socket\"").value(), 1u);
}

TEST_F(EventDecoderTest, AProcessThatSpeaksTlsIsToldOf) {
  clew_event_process e{};
  e.type = CLEW_EVENT_PROCESS;
  e.change = CLEW_PROCESS_TLS;
  ASSERT_TRUE(decode(e));
  EXPECT_EQ(changes_[0], ProcessChange::Kind::kTls);
  e.change = CLEW_PROCESS_RUNTIME;
  ASSERT_TRUE(decode(e));
  EXPECT_EQ(changes_[1], ProcessChange::Kind::kRuntime);
  e.change = CLEW_PROCESS_RUNTIME + 1;
  EXPECT_FALSE(decode(e));
}

}  // namespace
}  // namespace clew::capture
