// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_answer.h"

#include <gtest/gtest.h>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace clew::exporter {
namespace {

using namespace std::chrono_literals;

TEST(OtlpAnswer, PartialSuccessIsReadWhereverTheBytesBreakOffWithoutReadingPast) {
  opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse response;
  response.mutable_partial_success()->set_rejected_spans(300);
  response.mutable_partial_success()->set_error_message("too old");
  const std::string bytes = response.SerializeAsString();
  const auto whole = parse_response_protobuf(bytes);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->rejected_spans, 300U);
  EXPECT_EQ(whole->message, "too old");
  for (size_t length = 1; length < bytes.size(); ++length) EXPECT_FALSE(parse_response_protobuf(std::string(bytes, 0, length))) << length;
  EXPECT_TRUE(parse_response_protobuf(""));
}

TEST(OtlpAnswer, NegativeRejectionCountsNothing) {
  opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse response;
  response.mutable_partial_success()->set_rejected_spans(-1);
  EXPECT_EQ(parse_response_protobuf(response.SerializeAsString())->rejected_spans, 0U);
}

TEST(OtlpAnswer, JsonMayHoldTheCountAsTextOrNumber) {
  EXPECT_EQ(parse_response_json(R"({"partialSuccess":{"rejectedSpans":"7"}})")->rejected_spans, 7U);
  EXPECT_EQ(parse_response_json(R"({"partialSuccess":{"rejectedSpans":7,"errorMessage":"m"}})")->message, "m");
  EXPECT_EQ(parse_response_json(R"({"partialSuccess":null})")->rejected_spans, 0U);
  EXPECT_FALSE(parse_response_json("<html>"));
  EXPECT_FALSE(parse_response_json("[1]"));
}

TEST(OtlpAnswer, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(parse_retry_after("5", 0), 5s);
  EXPECT_EQ(parse_retry_after("0", 0), 0s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 3), 3s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 3), 0s);
  EXPECT_EQ(parse_retry_after("99999999999999999999999", 0), 24h);
  EXPECT_FALSE(parse_retry_after("soon", 0));
  EXPECT_FALSE(parse_retry_after("", 0));
  EXPECT_FALSE(parse_retry_after("-1", 0));
}

}  // namespace
}  // namespace clew::exporter
