// SPDX-License-Identifier: Apache-2.0
// A real gRPC server plays a collector with faults.
#include "exporter/otlp_grpc.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <deque>
#include <mutex>

#include "exporter/otlp.h"
#include "exporter/protobuf/wire.h"
#include "exporter/testing/raw_server.h"
#include "exporter/testing/support.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"

namespace clew::exporter {
namespace {

using namespace std::chrono_literals;
namespace collector = opentelemetry::proto::collector::trace::v1;
using ::testing::AllOf;
using testing::batch_of;
using testing::Bench;
using ::testing::Contains;
using testing::eventually;
using ::testing::HasSubstr;
using testing::RawServer;

constexpr size_t kSpans = 10;

/// google.rpc.Status with a RetryInfo of that delay.
std::string retry_info(std::chrono::milliseconds delay) {
  Buffer bytes;
  protobuf::Encoder status(bytes);
  status.varint(1, grpc::StatusCode::RESOURCE_EXHAUSTED);
  status.text(2, "slow down");
  status.message(3, 1, [&] {
    status.text(1, "type.googleapis.com/google.rpc.RetryInfo");
    status.message(2, 1, [&] {
      status.message(1, 1, [&] {
        status.varint(1, static_cast<uint64_t>(delay.count() / 1000));
        status.varint(2, static_cast<uint64_t>(delay.count() % 1000 * 1'000'000));
      });
    });
  });
  return std::string(bytes.view());
}

struct Answer {
  grpc::Status status = grpc::Status::OK;
  int64_t rejected = 0;
  std::string message = {};
  std::chrono::milliseconds delay{0};
};

struct Seen {
  std::string body;
  std::multimap<std::string, std::string> metadata;
  grpc_compression_algorithm compression = GRPC_COMPRESS_NONE;
  std::chrono::steady_clock::time_point at;
};

class FakeGrpcCollector final : public collector::TraceService::Service {
 public:
  explicit FakeGrpcCollector(std::vector<Answer> script = {}, const std::shared_ptr<grpc::ServerCredentials>& credentials = nullptr)
      : script_(script.begin(), script.end()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials ? credentials : grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    builder.SetMaxReceiveMessageSize(-1);
    server_ = builder.BuildAndStart();
  }
  ~FakeGrpcCollector() override { server_->Shutdown(std::chrono::system_clock::now()); }
  FakeGrpcCollector(const FakeGrpcCollector&) = delete;
  FakeGrpcCollector& operator=(const FakeGrpcCollector&) = delete;

  grpc::Status Export(grpc::ServerContext* context, const collector::ExportTraceServiceRequest* request,
                      collector::ExportTraceServiceResponse* response) override {
    Answer answer;
    {
      std::lock_guard lock(mutex_);
      Seen& seen = seen_.emplace_back();
      seen.body = request->SerializeAsString();
      for (const auto& [key, value] : context->client_metadata())
        seen.metadata.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
      seen.at = std::chrono::steady_clock::now();
      if (!script_.empty()) {
        answer = script_.front();
        script_.pop_front();
      }
    }
    std::this_thread::sleep_for(answer.delay);
    if (answer.rejected != 0 || !answer.message.empty()) {
      response->mutable_partial_success()->set_rejected_spans(answer.rejected);
      response->mutable_partial_success()->set_error_message(answer.message);
    }
    return answer.status;
  }
  int port() const { return port_; }
  std::vector<Seen> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Answer> script_;
  std::vector<Seen> seen_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

OtlpOptions fast(int port) {
  OtlpOptions options;
  options.protocol = OtlpProtocol::kGrpc;
  options.target = "127.0.0.1:" + std::to_string(port);
  options.timeout = 5s;
  options.schedule_delay = 5ms;
  options.export_timeout = 10s;
  options.backoff_initial = 20ms;
  options.backoff_max = 50ms;
  return options;
}

std::unique_ptr<Exporter> start(const OtlpOptions& options, Bench& bench) {
  auto made = make_otlp_exporter(options, bench.wiring(), 7);
  if (!made) {
    ADD_FAILURE() << made.error().message;
    std::abort();
  }
  return *std::move(made);
}

std::vector<Seen> play(std::vector<Answer> script, Bench& bench, OtlpOptions options = fast(0)) {
  FakeGrpcCollector server(std::move(script));
  options.target = "127.0.0.1:" + std::to_string(server.port());
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.spans("otlp_grpc", "exported") + bench.lost("otlp_grpc") >= kSpans; }));
  exporter->shutdown(2s);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported") + bench.lost("otlp_grpc"), kSpans);
  return server.seen();
}

TEST(OtlpGrpc, SpansArrive) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.headers = {{"api-key", "secret"}};
  const auto seen = play({}, bench, options);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), kSpans);
  EXPECT_TRUE(bench.messages().empty());
  EXPECT_EQ(seen[0].metadata.find("api-key")->second, "secret");
  EXPECT_THAT(seen[0].metadata.find("user-agent")->second, AllOf(HasSubstr("clew/"), HasSubstr("OTel-OTLP-Exporter-Cpp/")));
  collector::ExportTraceServiceRequest request;
  ASSERT_TRUE(request.ParseFromString(seen[0].body));
  EXPECT_EQ(request.resource_spans_size(), 3);
}

TEST(OtlpGrpc, GzipArrivesToo) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.compression = Compression::kGzip;
  EXPECT_EQ(play({}, bench, options).size(), 1U);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), kSpans);
}

TEST(OtlpGrpc, PartialSuccessIsCountedToldAndNotRetried) {
  Bench bench;
  EXPECT_EQ(play({{.rejected = 3, .message = "three too many"}}, bench).size(), 1U);
  EXPECT_EQ(bench.lost("otlp_grpc", "rejected"), 3U);
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("rejected 3 of 10 spans: three too many")));
}

TEST(OtlpGrpc, MessageWithoutRejectionIsAWarning) {
  Bench bench;
  EXPECT_EQ(play({{.message = "use a newer client"}}, bench).size(), 1U);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), kSpans);
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("warns: use a newer client")));
}

class OtlpGrpcRetry : public ::testing::TestWithParam<grpc::StatusCode> {};
TEST_P(OtlpGrpcRetry, SendsTheSameBytesUntilTheyAreTaken) {
  Bench bench;
  const Answer no{.status = grpc::Status(GetParam(), "not now")};
  const auto seen = play({no, no}, bench);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[1].body, seen[0].body);
  EXPECT_EQ(seen[2].body, seen[0].body);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), kSpans);
  EXPECT_EQ(bench.messages().size(), 2U);
}
INSTANTIATE_TEST_SUITE_P(Codes, OtlpGrpcRetry,
                         ::testing::Values(grpc::CANCELLED, grpc::DEADLINE_EXCEEDED, grpc::ABORTED, grpc::OUT_OF_RANGE, grpc::UNAVAILABLE,
                                           grpc::DATA_LOSS));

class OtlpGrpcRefusal : public ::testing::TestWithParam<grpc::StatusCode> {};
TEST_P(OtlpGrpcRefusal, IsNotRetriedAndCounted) {
  Bench bench;
  EXPECT_EQ(play({{.status = grpc::Status(GetParam(), "never")}}, bench).size(), 1U);
  EXPECT_EQ(bench.spans("otlp_grpc", "failed"), kSpans);
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("never")));
}
INSTANTIATE_TEST_SUITE_P(Codes, OtlpGrpcRefusal,
                         ::testing::Values(grpc::UNKNOWN, grpc::INVALID_ARGUMENT, grpc::NOT_FOUND, grpc::ALREADY_EXISTS,
                                           grpc::PERMISSION_DENIED, grpc::UNAUTHENTICATED, grpc::FAILED_PRECONDITION, grpc::UNIMPLEMENTED,
                                           grpc::INTERNAL, grpc::RESOURCE_EXHAUSTED));

TEST(OtlpGrpc, ExhaustedWithRetryInfoWaitsAsAsked) {
  Bench bench;
  const auto seen = play({{.status = grpc::Status(grpc::RESOURCE_EXHAUSTED, "slow down", retry_info(700ms))}}, bench);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, 700ms);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), kSpans);
}

TEST(OtlpGrpc, StallEndsWithTheTimeoutOfTheRequestAndIsRetried) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.timeout = 200ms;
  const auto seen = play({{.delay = 600ms}}, bench, options);
  EXPECT_GE(seen.size(), 2U);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), kSpans);
}

TEST(OtlpGrpc, AnswerOverTheLimitIsRefused) {
  Bench bench;
  EXPECT_EQ(play({{.message = std::string((4U << 20U) + 1, 'x')}}, bench).size(), 1U);
  EXPECT_EQ(bench.lost("otlp_grpc", "grpc_resource_exhausted"), kSpans);
}

TEST(OtlpGrpc, LargeRequestsAreSent) {
  Bench bench(WhenFull::kWait);
  FakeGrpcCollector server;
  OtlpOptions options = fast(server.port());
  options.max_batch_size = 20'000;
  options.max_queue_size = 20'000;
  options.schedule_delay = 10s;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(20'000));
  exporter->shutdown(10s);
  EXPECT_EQ(bench.spans("otlp_grpc", "exported"), 20'000U);
  ASSERT_EQ(server.seen().size(), 1U);
  EXPECT_GT(server.seen()[0].body.size(), size_t{8} << 20U);
}

TEST(OtlpGrpc, RefusedConnectionIsOneLineAndCountedWithTheBatchTimeout) {
  Bench bench;
  int port = 0;
  {
    port = FakeGrpcCollector().port();
  }
  OtlpOptions options = fast(port);
  options.export_timeout = 300ms;
  auto exporter = start(options, bench);
  for (uint64_t i = 0; i < 5; ++i) exporter->submit(batch_of(kSpans, i));
  ASSERT_TRUE(eventually([&] { return bench.lost("otlp_grpc", "grpc_unavailable") >= kSpans; }));
  EXPECT_EQ(bench.messages().size(), 1U);
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("cannot reach the collector")));
  exporter->shutdown(1s);
  EXPECT_EQ(bench.lost("otlp_grpc"), 5 * kSpans);
}

TEST(OtlpGrpc, ResetAndSilentConnectionsAreRetriedAndEnd) {
  Bench bench;
  RawServer server([](int client) {
    RawServer::read_some(client);
    RawServer::reset(client);
  });
  OtlpOptions options = fast(server.port());
  options.export_timeout = 400ms;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.lost("otlp_grpc") == kSpans; }));
  EXPECT_GE(bench.requests("otlp_grpc", "retry"), 2U);
  exporter->shutdown(1s);
}

TEST(OtlpGrpc, ShutdownDuringAStallKeepsToItsPatience) {
  Bench bench;
  FakeGrpcCollector server({{.delay = 2s}});
  auto exporter = start(fast(server.port()), bench);
  exporter->submit(batch_of(kSpans));
  ASSERT_TRUE(eventually([&] { return !server.seen().empty(); }));
  const auto begin = std::chrono::steady_clock::now();
  exporter->shutdown(200ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  EXPECT_EQ(bench.lost("otlp_grpc", "shutdown"), kSpans);
}

TEST(OtlpGrpcStatus, UnavailableWithRetryInfoIsAliveAndWaits) {
  const OtlpReply reply = judge_grpc_status(grpc::UNAVAILABLE, "busy", retry_info(1500ms));
  EXPECT_EQ(reply.kind, OtlpReply::Kind::kRetry);
  EXPECT_EQ(reply.retry_after, 1500ms);
}

TEST(OtlpGrpcStatus, AnErrorThatIsNoneIsNotToldAsTheReason) {
  EXPECT_EQ(judge_grpc_status(grpc::UNAVAILABLE, "failed to connect to all addresses; last error: OK", "").message,
            "cannot reach the collector: failed to connect to all addresses (unavailable)");
}

}  // namespace
}  // namespace clew::exporter
