// SPDX-License-Identifier: Apache-2.0
// Plays connections to Connections as a source would, and puts what comes out into words that a test can compare.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/counters.h"
#include "agent/connection/connections.h"
#include "agent/correlation/ids.h"
#include "protocols/registry.h"

namespace clew::connection {

using capture::Role;
using protocols::Sender;
using Kind = capture::End::Kind;
using Texts = std::vector<std::string>;

inline constexpr uint64_t kMillisecond = 1'000'000;
inline constexpr uint64_t kMicrosecond = 1'000;

class ConnectionsTest : public testing::Test {
 protected:
  /// One connection of the source. Every call takes a millisecond.
  class Played {
   public:
    Played(ConnectionsTest& test, const capture::Connection& info) : test_(test), info_(info) {
      if (!info.from_start) position_[0] = position_[1] = 5000;
    }

    /// A call of that sender: `bytes`, and behind them `hidden` more that the source does not show.
    capture::Bytes make(Sender sender, std::string_view bytes, uint64_t hidden = 0) {
      test_.now_ns_ += kMillisecond;
      capture::Bytes call;
      call.connection = info_.id;
      call.direction = direction(sender);
      uint64_t& position = position_[static_cast<size_t>(call.direction)];
      call.position = position;
      call.time_ns = test_.now_ns_;
      call.process_id = 100;
      call.thread_id = 101;
      call.bytes = bytes;
      position += bytes.size() + hidden;
      if (hidden > 0) call.advanced_to = position;
      if (tells_other_position) call.other_position = position_[static_cast<size_t>(capture::opposite(call.direction))];
      return call;
    }
    void client(std::string_view bytes, uint64_t hidden = 0) { test_.deliver(make(Sender::kClient, bytes, hidden)); }
    void server(std::string_view bytes, uint64_t hidden = 0) { test_.deliver(make(Sender::kServer, bytes, hidden)); }
    /// The source says that bytes have passed, and shows none of them.
    void advance(Sender sender, uint64_t bytes) {
      make(sender, {}, bytes);
      capture::Bytes call = make(sender, {});
      call.advanced_to = call.position;
      test_.deliver(call);
    }
    /// Bytes pass of which nobody tells.
    void lose(Sender sender, uint64_t bytes) { make(sender, {}, bytes); }
    void end(Kind kind) { test_.connections().end({.connection = info_.id, .kind = kind, .time_ns = test_.now_ns_}); }
    void end_of(Sender sender) {
      test_.connections().end({.connection = info_.id, .kind = Kind::kDirection, .direction = direction(sender), .time_ns = test_.now_ns_});
    }

    bool tells_other_position = true;

   private:
    capture::Direction direction(Sender sender) const {
      const bool ingress = (sender == Sender::kClient) == (info_.role != Role::kClient);
      return ingress ? capture::Direction::kIngress : capture::Direction::kEgress;
    }

    ConnectionsTest& test_;
    capture::Connection info_;
    uint64_t position_[2] = {0, 0};
  };

  /// 10.0.0.1:8080, the traced process, and 10.0.0.2:4000.
  static capture::Connection describe(uint64_t id, Role role = Role::kServer, bool from_start = true) {
    capture::Connection c;
    c.id = id;
    c.local = {.family = capture::Family::kIpv4, .port = 8080, .address = {10, 0, 0, 1}, .path = {}};
    c.peer = {.family = capture::Family::kIpv4, .port = 4000, .address = {10, 0, 0, 2}, .path = {}};
    c.role = role;
    c.from_start = from_start;
    return c;
  }
  Played open(const capture::Connection& info) {
    connections().connection(info);
    return {*this, info};
  }
  Played open() { return open(describe(1)); }
  Played join() { return open(describe(1, Role::kServer, false)); }

  Connections& connections() {
    if (connections_ == nullptr)
      connections_ = std::make_unique<Connections>(
          protocols_, builder_,
          [this](uint32_t process_id, const exchange::Place&, uint64_t) {
            asked_processes_.push_back(process_id);
            return resource_;
          },
          correlator_,
          Connections::Propagators(correlation::propagation::kDefaultOrder.begin(), correlation::propagation::kDefaultOrder.end()),
          counters_, limits_);
    return *connections_;
  }

  /// As sources do: the bytes are gone after the call.
  void deliver(capture::Bytes call) {
    const auto bytes = std::make_unique<char[]>(call.bytes.size());
    std::ranges::copy(call.bytes, bytes.get());
    call.bytes = {bytes.get(), call.bytes.size()};
    connections().bytes(call);
  }

  /// The spans since the last call: "server POST /path 200 in=<body bytes> out=<body bytes> ~<clew.incomplete> !<error.type>".
  Texts spans() {
    Texts texts;
    for (const exporter::Span& span : connections().take_spans()) texts.push_back(text_of(span));
    return texts;
  }

  static std::string get(const exporter::Span& span, std::string_view key) {
    const size_t index = span.attributes.find(key);
    if (index == span.attributes.size()) return {};
    const auto attribute = span.attributes[index];
    switch (attribute.type) {
      case base::Attributes::Type::kString: return std::string(attribute.text);
      case base::Attributes::Type::kStringArray: {
        std::string all;
        for (std::string_view one : span.attributes.array(index)) all.append(all.empty() ? "" : ",").append(one);
        return all;
      }
      default: return std::to_string(attribute.integer);
    }
  }

  static std::string text_of(const exporter::Span& span) {
    std::string text = span.kind == exporter::SpanKind::kClient ? "client " : "server ";
    text += get(span, "http.request.method") + " ";
    text += get(span, span.kind == exporter::SpanKind::kClient ? "url.full" : "url.path");
    const auto add = [&](std::string_view before, const std::string& value) {
      if (!value.empty() && value != "0") text.append(before).append(value);
    };
    add(" ", get(span, "http.response.status_code"));
    add(" in=", get(span, "http.request.body.size"));
    add(" out=", get(span, "http.response.body.size"));
    add(" ~", get(span, "clew.incomplete"));
    add(" !", get(span, "error.type"));
    return text;
  }

  /// Everything that was counted as lost: "stream.hole 1, …" in order of name.
  std::string losses() const {
    std::string text;
    for (const base::Counters::Sample& sample : counters_.snapshot()) {
      if (sample.name != "clew_lost_total" || sample.value == 0) continue;
      const auto quoted = [&](std::string_view name) {
        const size_t from = sample.labels.find(std::string(name) + "=\"") + name.size() + 2;
        return sample.labels.substr(from, sample.labels.find('"', from) - from);
      };
      text += (text.empty() ? "" : ", ") + quoted("where") + "." + quoted("reason") + " " + std::to_string(sample.value);
    }
    return text;
  }
  uint64_t counted(std::string_view name, std::string_view labels = {}) { return counters_.get(name, labels).value(); }

  uint64_t now_ns_ = 1'700'000'000'000'000'000;
  Connections::Limits limits_;  // to be changed before the first connection
  std::shared_ptr<const exporter::Resource> resource_ = std::make_shared<exporter::Resource>();
  std::vector<uint32_t> asked_processes_;

 private:
  protocols::ProtocolList protocols_ = protocols::make_protocols();
  correlation::Ids ids_{correlation::Seed{{1, 2}}};
  exchange::SpanBuilder builder_{false};
  base::Counters counters_;
  correlation::Correlator correlator_{ids_, counters_};
  std::unique_ptr<Connections> connections_;
};

inline std::string request(std::string_view target, std::string_view fields = {}, std::string_view method = "GET") {
  return std::string(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: h\r\n").append(fields).append("\r\n");
}
inline std::string post(std::string_view target, uint64_t body_bytes) {
  return request(target, "Content-Length: " + std::to_string(body_bytes) + "\r\n", "POST");
}
inline std::string response(int status, uint64_t body_bytes = 0) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
}

}  // namespace clew::connection
