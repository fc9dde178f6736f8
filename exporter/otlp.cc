// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp.h"

#include <fmt/core.h>

#include <algorithm>
#include <random>
#include <utility>

#include "exporter/json/writer.h"
#include "exporter/otlp_transport.h"
#include "exporter/protobuf/writer.h"
#include "exporter/queued.h"
#include "exporter/trouble.h"

namespace clew::exporter {
namespace {

using Clock = Patience::Clock;
using Kind = OtlpReply::Kind;

/// Exponential, with jitter, so that a thousand agents do not come back in the same instant.
class Backoff {
 public:
  Backoff(const OtlpOptions& options, uint64_t seed)
      : initial_(options.backoff_initial), longest_(options.backoff_max), next_(initial_), random_(seed) {}

  void reset() { next_ = initial_; }
  /// Half to one and a half times a span that doubles each time.
  Clock::duration next() {
    const double factor = std::uniform_real_distribution<double>(0.5, 1.5)(random_);
    const auto chosen = std::chrono::duration_cast<Clock::duration>(next_ * factor);
    next_ = std::min(next_ * 2, longest_);
    return chosen;
  }

 private:
  const std::chrono::milliseconds initial_;
  const std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
  std::mt19937_64 random_;
};

class OtlpDestination final : public Destination {
 public:
  OtlpDestination(const OtlpOptions& options, std::unique_ptr<OtlpTransport> transport, const Wiring& wiring, uint64_t seed)
      : options_(options),
        transport_(std::move(transport)),
        backoff_(options, seed),
        trouble_("--otlp " + options.target, wiring.log),
        warnings_("--otlp " + options.target, wiring.log) {}

  void deliver(const SpanGroup& group, const Patience& patience, Tally& tally) override {
    const size_t count = span_count(group);
    std::string body = encode(group);
    if (body.size() > options_.max_request_bytes) {
      trouble_.lost(count);
      trouble_.begin(fmt::format("a request of {} bytes is over the limit of {} and was dropped", body.size(), options_.max_request_bytes));
      return tally.failed(count, "request_too_large");
    }
    send(transport_->prepare(std::move(body)), count, patience, tally);
  }

  void finish(const Patience& /*patience*/, Tally& /*tally*/) override { trouble_.close(); }

 private:
  std::string encode(const SpanGroup& group) {
    text_.clear();
    if (options_.protocol == OtlpProtocol::kHttpJson)
      json_.append(group, text_);
    else
      protobuf_.append(group, text_);
    return std::string(text_.view());
  }

  /// Tries until the batch is taken or refused, or its time or our patience is over.
  void send(const std::string& body, size_t count, const Patience& patience, Tally& tally) {
    const Clock::time_point give_up = Clock::now() + options_.export_timeout;
    OtlpReply reply;
    reply.reason = "timeout";
    reply.message = "the collector asks to wait longer than a batch may wait";
    for (bool first = true;; first = false) {
      if (!wait_turn(give_up, patience)) return lose(reply, count, patience, tally);
      const Clock::time_point full = Clock::now() + options_.timeout;
      const OtlpReply before = std::exchange(reply, transport_->send(body, std::min({full, give_up, patience.deadline()}), patience));
      // A last try that the batch's own end cut short says nothing of the collector; the one before it does.
      if (reply.timed_out && give_up < full && !first) return lose(before, count, patience, tally);
      switch (reply.kind) {
        case Kind::kAccepted: return accept(reply, count, tally);
        case Kind::kRefused:
        case Kind::kCancelled: return lose(reply, count, patience, tally);
        case Kind::kRetry:
        case Kind::kUnreachable: break;
      }
      tally.request("retry");
      // Whoever was not there before we were told to stop is not waited for.
      const bool known_dead = reply.kind == Kind::kUnreachable && trouble_.active() && patience.stopping();
      trouble_.begin(reply.message);
      if (known_dead) {
        not_before_ = {};
        return lose(reply, count, patience, tally);
      }
      not_before_ = Clock::now() + std::max<Clock::duration>(backoff_.next(), reply.retry_after.value_or(std::chrono::milliseconds(0)));
      asked_to_wait_ = reply.retry_after.has_value();
    }
  }

  /// Sleeps until the next try is allowed; a collector's wish to wait holds for the next batches too. False: no time is left.
  bool wait_turn(Clock::time_point give_up, const Patience& patience) {
    while (Clock::now() < not_before_) {
      const bool was_stopping = patience.stopping();
      if (!patience.sleep(std::min(not_before_, give_up) - Clock::now(), !was_stopping)) return false;
      if (Clock::now() >= give_up) return false;
      // Stopping cuts our own backoff short for one last try, but not a wait that the collector asked for.
      if (!was_stopping && patience.stopping() && !asked_to_wait_) break;
    }
    return Clock::now() < give_up && !patience.over();
  }

  void accept(const OtlpReply& reply, size_t count, Tally& tally) {
    const uint64_t rejected = std::min<uint64_t>(reply.rejected_spans, count);
    tally.request(rejected > 0 ? "partial" : "ok");
    tally.exported(count - rejected);
    tally.failed(rejected, "rejected");
    trouble_.end();
    backoff_.reset();
    if (rejected == 0 && reply.warning.empty()) return;
    if (rejected > 0)
      warnings_.begin(fmt::format("the collector rejected {} of {} spans: {}", rejected, count, reply.warning));
    else
      warnings_.begin(fmt::format("the collector warns: {}", reply.warning));
  }

  void lose(const OtlpReply& reply, size_t count, const Patience& patience, Tally& tally) {
    tally.request("failed");
    trouble_.lost(count);
    if (reply.kind == Kind::kCancelled || patience.over()) return tally.dropped(count, "shutdown");
    trouble_.begin(reply.message);
    tally.failed(count, reply.reason);
  }

  const OtlpOptions options_;
  std::unique_ptr<OtlpTransport> transport_;
  protobuf::Writer protobuf_;
  json::Writer json_;
  Buffer text_;
  Backoff backoff_;
  Clock::time_point not_before_{};
  bool asked_to_wait_ = false;
  Trouble trouble_;
  Trouble warnings_;
};

}  // namespace

std::string user_agent() { return "clew/" CLEW_VERSION " OTel-OTLP-Exporter-Cpp/" CLEW_VERSION; }

base::Result<std::unique_ptr<Exporter>> make_otlp_exporter(const OtlpOptions& options, const Wiring& wiring, uint64_t seed) {
  const bool grpc = options.protocol == OtlpProtocol::kGrpc;
  CLEW_TRY(std::unique_ptr<OtlpTransport> transport, grpc ? make_grpc_transport(options) : make_http_transport(options));
  const Pace pace{.queue_spans = options.max_queue_size,
                  .max_spans = std::min(options.max_batch_size, options.max_queue_size),
                  .delay = options.schedule_delay};
  return std::make_unique<QueuedExporter>(grpc ? "otlp_grpc" : "otlp_http",
                                          std::make_unique<OtlpDestination>(options, std::move(transport), wiring, seed), pace, wiring);
}

}  // namespace clew::exporter
