// SPDX-License-Identifier: Apache-2.0
// Every fault that a collector can play over HTTP, and what OTLP asks us to do about it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "exporter/otlp.h"
#include "exporter/testing/fake_http_collector.h"
#include "exporter/testing/raw_server.h"
#include "exporter/testing/support.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace clew::exporter {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr std::chrono::seconds kAtOnce(60);
#else
constexpr std::chrono::seconds kAtOnce(5);
#endif

using namespace std::chrono_literals;
using ::testing::AllOf;
using testing::batch_of;
using testing::Bench;
using ::testing::Contains;
using ::testing::Each;
using testing::eventually;
using testing::FakeHttpCollector;
using ::testing::HasSubstr;
using testing::HttpAnswer;
using testing::RawServer;
using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using Response = opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;

constexpr size_t kSpans = 10;

OtlpOptions fast(int port, const std::string& scheme = "http") {
  OtlpOptions options;
  options.protocol = OtlpProtocol::kHttpProtobuf;
  options.target = scheme + "://127.0.0.1:" + std::to_string(port) + "/v1/traces";
  options.timeout = 5s;
  options.schedule_delay = 5ms;
  options.export_timeout = 10s;
  options.backoff_initial = 10ms;
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

std::string response(int64_t rejected, const std::string& message) {
  Response made;
  made.mutable_partial_success()->set_rejected_spans(rejected);
  made.mutable_partial_success()->set_error_message(message);
  return made.SerializeAsString();
}

/// Sends one batch against the script; returns what the collector saw.
std::vector<testing::HttpRequestSeen> play(std::vector<HttpAnswer> script, Bench& bench, OtlpOptions options = {}) {
  FakeHttpCollector collector(std::move(script));
  const OtlpOptions defaults = fast(collector.port());
  if (options.target.empty()) options = defaults;
  options.target = defaults.target;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.spans("otlp_http", "exported") + bench.lost("otlp_http") >= kSpans; }));
  exporter->shutdown(2s);
  EXPECT_EQ(bench.spans("otlp_http", "exported") + bench.lost("otlp_http"), kSpans);
  return collector.seen();
}

TEST(OtlpHttp, EmptyAnswerIsSuccess) {
  Bench bench;
  const auto seen = play({{.status = 200}}, bench);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
  EXPECT_TRUE(bench.messages().empty());
  EXPECT_EQ(seen[0].path, "/v1/traces");
  EXPECT_EQ(seen[0].header("Content-Type"), "application/x-protobuf");
  EXPECT_THAT(seen[0].header("User-Agent"), AllOf(HasSubstr("clew/"), HasSubstr("OTel-OTLP-Exporter-Cpp/")));
  Request request;
  ASSERT_TRUE(request.ParseFromString(seen[0].body));
  EXPECT_EQ(request.resource_spans(0).schema_url(), kSchemaUrl);
}

TEST(OtlpHttp, PartialSuccessIsCountedToldAndNotRetried) {
  Bench bench;
  const auto seen = play({{.body = response(3, "three too many")}}, bench);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans - 3);
  EXPECT_EQ(bench.lost("otlp_http", "rejected"), 3U);
  EXPECT_EQ(bench.requests("otlp_http", "partial"), 1U);
  EXPECT_THAT(bench.messages(), Contains(AllOf(HasSubstr("rejected 3 of 10"), HasSubstr("three too many"))));
}

TEST(OtlpHttp, PartialSuccessInJsonIsUnderstood) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.protocol = OtlpProtocol::kHttpJson;
  const auto seen =
      play({{.body = R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}})", .type = "application/json"}}, bench, options);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].header("Content-Type"), "application/json");
  EXPECT_EQ(bench.lost("otlp_http", "rejected"), 3U);
}

TEST(OtlpHttp, MessageWithoutRejectionIsAWarning) {
  Bench bench;
  EXPECT_EQ(play({{.body = response(0, "use a newer client")}}, bench).size(), 1U);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("warns: use a newer client")));
}

class OtlpHttpRefusal : public ::testing::TestWithParam<int> {};
TEST_P(OtlpHttpRefusal, IsNotRetriedAndCounted) {
  Bench bench;
  const auto seen =
      play({{.status = GetParam(), .body = "so it is", .type = "text/plain", .headers = {{"Location", "/elsewhere"}}}}, bench);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(bench.lost("otlp_http", "http_" + std::to_string(GetParam())), kSpans);
  EXPECT_EQ(bench.spans("otlp_http", "failed"), kSpans);
  EXPECT_THAT(bench.messages(), Contains(AllOf(HasSubstr(std::to_string(GetParam())), HasSubstr("so it is"))));
}
INSTANTIATE_TEST_SUITE_P(Codes, OtlpHttpRefusal, ::testing::Values(301, 307, 400, 401, 403, 404, 408, 413, 500, 501, 505));

class OtlpHttpRetry : public ::testing::TestWithParam<int> {};
TEST_P(OtlpHttpRetry, SendsTheSameBytesUntilTheyAreTaken) {
  Bench bench;
  const auto seen = play({{.status = GetParam()}, {.status = GetParam()}, {.status = GetParam()}}, bench);
  ASSERT_EQ(seen.size(), 4U);
  for (const auto& request : seen) EXPECT_EQ(request.body, seen[0].body);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
  EXPECT_EQ(bench.requests("otlp_http", "retry"), 3U);
  const auto messages = bench.messages();
  ASSERT_EQ(messages.size(), 2U) << "one line for the trouble, one for its end";
  EXPECT_THAT(messages[1], HasSubstr("works again, no span was lost"));
}
INSTANTIATE_TEST_SUITE_P(Codes, OtlpHttpRetry, ::testing::Values(429, 502, 503, 504));

TEST(OtlpHttp, RetryAfterSecondsIsHonoured) {
  Bench bench;
  const auto seen = play({{.status = 429, .headers = {{"Retry-After", "1"}}}}, bench);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, 1s);
  EXPECT_LT(seen[1].at - seen[0].at, 3s);
}

TEST(OtlpHttp, RetryAfterDateIsHonoured) {
  Bench bench;
  const std::time_t then = std::time(nullptr) + 2;
  tm utc{};
  gmtime_r(&then, &utc);
  char date[64];
  std::strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  const auto seen = play({{.status = 503, .headers = {{"Retry-After", date}}}}, bench);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, 900ms);
}

TEST(OtlpHttp, RetryAfterLongerThanTheBatchMayWaitGivesUp) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.export_timeout = 200ms;
  EXPECT_EQ(play({{.status = 429, .headers = {{"Retry-After", "3600"}}}}, bench, options).size(), 1U);
  EXPECT_EQ(bench.lost("otlp_http", "http_429"), kSpans);
}

TEST(OtlpHttp, RetriesEndWithTheBatchTimeout) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.export_timeout = 300ms;
  const auto seen = play(std::vector<HttpAnswer>(1000, HttpAnswer{.status = 503}), bench, options);
  EXPECT_GE(seen.size(), 4U);
  EXPECT_LT(seen.size(), 60U);
  EXPECT_EQ(bench.lost("otlp_http", "http_503"), kSpans);
}

TEST(OtlpHttp, BackoffGrowsAndJitters) {
  Bench bench;
  const auto seen = play(std::vector<HttpAnswer>(12, HttpAnswer{.status = 503}), bench);
  ASSERT_EQ(seen.size(), 13U);
  std::set<int64_t> gaps;
  for (size_t i = 1; i < seen.size(); ++i) {
    const auto gap = std::chrono::duration_cast<std::chrono::milliseconds>(seen[i].at - seen[i - 1].at).count();
    EXPECT_GE(gap, i == 1 ? 4 : 9);
    gaps.insert(gap);
  }
  EXPECT_GE(gaps.size(), 4U) << "waits must differ";
}

TEST(OtlpHttp, WrongContentTypeOfASuccessIsToldOnce) {
  Bench bench;
  EXPECT_EQ(play({{.body = "<html>hello</html>", .type = "text/html"}}, bench).size(), 1U);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("is it a collector?")));
}

TEST(OtlpHttp, AnswerOverTheLimitIsNotRead) {
  Bench bench;
  EXPECT_EQ(play({{.body = std::string((4U << 20U) + 1, 'x')}}, bench).size(), 1U);
  EXPECT_EQ(bench.lost("otlp_http", "response_too_large"), kSpans);
}

TEST(OtlpHttp, RequestOverTheLimitIsNotSent) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.max_request_bytes = 1000;
  EXPECT_TRUE(play({}, bench, options).empty());
  EXPECT_EQ(bench.lost("otlp_http", "request_too_large"), kSpans);
}

TEST(OtlpHttp, GzipIsEqualOnRetryAndUnpacksToTheRequest) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.compression = Compression::kGzip;
  const auto seen = play({{.status = 503}}, bench, options);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].header("Content-Encoding-Seen"), "gzip");
  EXPECT_EQ(seen[0].body, seen[1].body);
  std::string plain(1 << 20, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 31), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(seen[0].body.data()));
  stream.avail_in = static_cast<uInt>(seen[0].body.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  plain.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_LT(seen[0].body.size(), plain.size());
  Request request;
  EXPECT_TRUE(request.ParseFromString(plain));
  EXPECT_EQ(request.resource_spans_size(), 3);
}

TEST(OtlpHttp, HeadersOfTheUserAreSent) {
  Bench bench;
  OtlpOptions options = fast(0);
  options.headers = {{"api-key", "secret value"}, {"x-tenant", "7"}};
  const auto seen = play({}, bench, options);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].header("api-key"), "secret value");
  EXPECT_EQ(seen[0].header("x-tenant"), "7");
}

TEST(OtlpHttp, BatchesShareOneConnectionAndKeepTheirOrder) {
  Bench bench(WhenFull::kWait);
  FakeHttpCollector collector;
  OtlpOptions options = fast(collector.port());
  options.max_batch_size = 50;
  auto exporter = start(options, bench);
  const auto batch = batch_of(500);
  exporter->submit(batch);
  exporter->shutdown(5s);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), 500U);
  const auto seen = collector.seen();
  ASSERT_EQ(seen.size(), 10U);
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].client_port, seen[0].client_port);
    Request request;
    ASSERT_TRUE(request.ParseFromString(seen[i].body));
    const auto& id = (*batch)[i * 50].span_id;
    EXPECT_EQ(request.resource_spans(0).scope_spans(0).spans(0).span_id(), std::string(id.begin(), id.end()));
  }
}

TEST(OtlpHttp, RefusedConnectionIsOneLineThenRecovers) {
  Bench bench;
  int port = 0;
  {
    port = FakeHttpCollector().port();
  }  // now nobody listens there
  OtlpOptions options = fast(port);
  auto exporter = start(options, bench);
  for (uint64_t i = 0; i < 20; ++i) exporter->submit(batch_of(kSpans, i));
  ASSERT_TRUE(eventually([&] { return bench.requests("otlp_http", "retry") >= 5; }));
  ASSERT_EQ(bench.messages().size(), 1U);
  EXPECT_THAT(bench.messages()[0], AllOf(HasSubstr("cannot reach the collector"), HasSubstr("onnect")));
  const FakeHttpCollector collector({}, nullptr, port);
  ASSERT_TRUE(eventually([&] { return bench.spans("otlp_http", "exported") == 20 * kSpans; }));
  ASSERT_EQ(bench.messages().size(), 2U);
  EXPECT_THAT(bench.messages()[1], HasSubstr("works again"));
  exporter->shutdown(1s);
}

TEST(OtlpHttp, ResetConnectionIsRetried) {
  Bench bench;
  RawServer server([](int client) { RawServer::reset(client); });
  OtlpOptions options = fast(server.port());
  options.export_timeout = 300ms;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.lost("otlp_http", "unreachable") == kSpans; }));
  EXPECT_GE(server.accepted(), 3);
  exporter->shutdown(1s);
}

TEST(OtlpHttp, DisconnectWithoutAnswerIsRetried) {
  Bench bench;
  RawServer server([](int client) { RawServer::read_some(client); });
  OtlpOptions options = fast(server.port());
  options.export_timeout = 1s;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.lost("otlp_http", "unreachable") == kSpans; }));
  EXPECT_GE(server.accepted(), 3);
  exporter->shutdown(1s);
}

// The last try has whatever time the batch has left, a millisecond perhaps; that it ends with that is the batch's doing.
TEST(OtlpHttp, LastTryThatIsCutShortDoesNotHideWhyTheOthersFailed) {
  Bench bench;
  std::atomic<int> tries = 0;
  RawServer server([&](int client) {
    RawServer::read_some(client);
    if (++tries > 2) std::this_thread::sleep_for(1200ms);
  });
  OtlpOptions options = fast(server.port());
  options.export_timeout = 1s;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.lost("otlp_http", "unreachable") == kSpans; }));
  EXPECT_EQ(tries, 3);
  exporter->shutdown(1s);
}

TEST(OtlpHttp, StallEndsWithTheTimeoutOfTheRequest) {
  Bench bench;
  RawServer server([](int) { std::this_thread::sleep_for(400ms); });
  OtlpOptions options = fast(server.port());
  options.timeout = 100ms;
  options.export_timeout = 500ms;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  EXPECT_TRUE(eventually([&] { return bench.lost("otlp_http", "timeout") == kSpans; }));
  EXPECT_GE(bench.requests("otlp_http", "retry"), 2U);
  exporter->shutdown(1s);
}

TEST(OtlpHttp, ShutdownFlushesWhatIsQueued) {
  Bench bench;
  FakeHttpCollector collector;
  OtlpOptions options = fast(collector.port());
  options.schedule_delay = 1h;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  exporter->shutdown(5s);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
}

TEST(OtlpHttp, ShutdownDuringAStallKeepsToItsPatience) {
  Bench bench;
  RawServer server([](int) { std::this_thread::sleep_for(3s); });
  auto exporter = start(fast(server.port()), bench);
  exporter->submit(batch_of(kSpans));
  ASSERT_TRUE(eventually([&] { return server.accepted() > 0; }));
  const auto begin = std::chrono::steady_clock::now();
  exporter->shutdown(200ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  EXPECT_EQ(bench.lost("otlp_http", "shutdown"), kSpans);
}

TEST(OtlpHttp, AShutdownThatIsHurriedWaitsNoLonger) {
  Bench bench;
  RawServer server([](int) { std::this_thread::sleep_for(2s); });
  auto exporter = start(fast(server.port()), bench);
  exporter->submit(batch_of(kSpans));
  ASSERT_TRUE(eventually([&] { return server.accepted() > 0; }));
  const auto begin = std::chrono::steady_clock::now();
  const std::jthread impatient([&] {
    std::this_thread::sleep_for(100ms);
    exporter->hurry();
  });
  exporter->shutdown(60s);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  EXPECT_EQ(bench.lost("otlp_http", "shutdown"), kSpans);
}

TEST(OtlpHttp, DeadCollectorDoesNotHoldUpTheEnd) {
  Bench bench;
  int port = 0;
  {
    port = FakeHttpCollector().port();
  }
  OtlpOptions options = fast(port);
  options.backoff_initial = 10s;
  options.backoff_max = 10s;
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  ASSERT_TRUE(eventually([&] { return bench.requests("otlp_http", "retry") == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  exporter->shutdown(8s);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
  EXPECT_EQ(bench.lost("otlp_http", "unreachable"), kSpans);
}

TEST(OtlpHttp, SlowCollectorCostsTheQueueAndCountedDrops) {
  Bench bench;
  FakeHttpCollector collector(std::vector<HttpAnswer>(100'000, HttpAnswer{.delay = 20ms}));
  OtlpOptions options = fast(collector.port());
  options.max_queue_size = 1000;
  options.max_batch_size = 200;
  auto exporter = start(options, bench);
  constexpr uint64_t kTotal = 50'000;
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t sent = 0; sent < kTotal; sent += 500) exporter->submit(batch_of(500, sent));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kAtOnce) << "the pipeline must not wait";
  exporter->shutdown(10s);
  EXPECT_GT(bench.lost("otlp_http", "queue_full"), 0U);
  EXPECT_EQ(bench.spans("otlp_http", "exported") + bench.lost("otlp_http"), kTotal);
  // No span twice, order kept.
  std::set<std::string> ids;
  uint64_t received = 0;
  for (const auto& seen : collector.seen()) {
    Request request;
    ASSERT_TRUE(request.ParseFromString(seen.body));
    for (const auto& resource : request.resource_spans())
      for (const auto& span : resource.scope_spans(0).spans()) {
        ids.insert(span.span_id());
        ++received;
      }
  }
  EXPECT_EQ(received, bench.spans("otlp_http", "exported"));
  EXPECT_EQ(ids.size(), received);
}

/// A certificate authority, a server and a client of it, made by openssl.
class OtlpTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = std::filesystem::temp_directory_path() / ("clew-tls-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
    const std::string make =
        "set -e; cd " + directory_.string() +
        "; openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2"
        "; printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' >san"
        "; for who in server client; do openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=$who"
        "; openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -days 2 -out $who.pem; done";
    ASSERT_EQ(std::system(("( " + make + " ) >/dev/null 2>&1").c_str()), 0);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory_); }
  static std::string file(const char* name) { return (directory_ / name).string(); }
  static std::unique_ptr<httplib::Server> tls_server(bool ask_for_client) {
    return std::make_unique<httplib::SSLServer>(file("server.pem").c_str(), file("server.key").c_str(),
                                                ask_for_client ? file("ca.pem").c_str() : nullptr);
  }
  static inline std::filesystem::path directory_;
};

TEST_F(OtlpTls, OwnAuthorityIsTrusted) {
  Bench bench;
  FakeHttpCollector collector({}, tls_server(false));
  OtlpOptions options = fast(collector.port(), "https");
  options.ca_file = file("ca.pem");
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  exporter->shutdown(5s);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
}

TEST_F(OtlpTls, UnknownAuthorityIsNotTrusted) {
  Bench bench;
  FakeHttpCollector collector({}, tls_server(false));
  auto exporter = start(fast(collector.port(), "https"), bench);
  exporter->submit(batch_of(kSpans));
  exporter->shutdown(1s);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), 0U);
  EXPECT_TRUE(collector.seen().empty());
  EXPECT_THAT(bench.messages(), Contains(HasSubstr("certificate")));
}

TEST_F(OtlpTls, ClientCertificateIsShown) {
  Bench bench;
  FakeHttpCollector collector({}, tls_server(true));
  OtlpOptions options = fast(collector.port(), "https");
  options.ca_file = file("ca.pem");
  options.client_cert_file = file("client.pem");
  options.client_key_file = file("client.key");
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  exporter->shutdown(5s);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), kSpans);
}

TEST_F(OtlpTls, WithoutClientCertificateNothingIsAccepted) {
  Bench bench;
  FakeHttpCollector collector({}, tls_server(true));
  OtlpOptions options = fast(collector.port(), "https");
  options.ca_file = file("ca.pem");
  auto exporter = start(options, bench);
  exporter->submit(batch_of(kSpans));
  exporter->shutdown(1s);
  EXPECT_EQ(bench.spans("otlp_http", "exported"), 0U);
  EXPECT_EQ(bench.lost("otlp_http"), kSpans);
}

TEST(OtlpHttp, MissingCertificateFileIsAnErrorAtStart) {
  Bench bench;
  OtlpOptions options = fast(1, "https");
  options.ca_file = "/nowhere/ca.pem";
  const auto made = make_otlp_exporter(options, bench.wiring(), 7);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace clew::exporter
