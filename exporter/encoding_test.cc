// SPDX-License-Identifier: Apache-2.0
// Both encodings against independent readers: protoc's classes and nlohmann's JSON.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "exporter/json/text.h"
#include "exporter/json/writer.h"
#include "exporter/protobuf/writer.h"
#include "exporter/testing/support.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace clew::exporter {
namespace {

using testing::batch_of;
using testing::group_of;
using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using KeyValues = google::protobuf::RepeatedPtrField<opentelemetry::proto::common::v1::KeyValue>;
using base::Attributes;
using Json = nlohmann::json;

template <size_t N>
std::string bytes(const std::array<uint8_t, N>& id) {
  return std::string(id.begin(), id.end());
}

void expect_equal(const Attributes& wanted, const KeyValues& got) {
  ASSERT_EQ(static_cast<size_t>(got.size()), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Attributes::View view = wanted[i];
    const auto& value = got[static_cast<int>(i)].value();
    EXPECT_EQ(got[static_cast<int>(i)].key(), view.key);
    switch (view.type) {
      case Attributes::Type::kString: EXPECT_EQ(value.string_value(), view.text); break;
      case Attributes::Type::kInt: EXPECT_EQ(value.int_value(), view.integer); break;
      case Attributes::Type::kDouble: EXPECT_EQ(value.double_value(), view.number); break;
      case Attributes::Type::kBool: EXPECT_EQ(value.bool_value(), view.integer != 0); break;
      case Attributes::Type::kStringArray: {
        const auto texts = wanted.array(i);
        ASSERT_EQ(static_cast<size_t>(value.array_value().values_size()), texts.size());
        for (size_t k = 0; k < texts.size(); ++k) EXPECT_EQ(value.array_value().values(static_cast<int>(k)).string_value(), texts[k]);
        break;
      }
    }
  }
}

Request decode(const SpanGroup& group) {
  Buffer out;
  protobuf::Writer().append(group, out);
  const std::string text(out.view());
  Request request;
  EXPECT_TRUE(request.ParseFromString(text));
  EXPECT_EQ(request.SerializeAsString().size(), text.size()) << "nothing is there that protoc does not know, nothing is padded";
  return request;
}

TEST(ProtobufWriter, EveryFieldIsReadBackByProtocsClasses) {
  const auto batch = batch_of(100);
  const Request request = decode(group_of(batch));
  ASSERT_EQ(request.resource_spans_size(), 3);
  size_t count = 0;
  for (const auto& resource : request.resource_spans()) {
    EXPECT_EQ(resource.schema_url(), kSchemaUrl);
    const auto& scope = resource.scope_spans(0);
    EXPECT_EQ(scope.scope().name(), "clew");
    EXPECT_FALSE(scope.scope().version().empty());
    for (const auto& got : scope.spans()) {
      const auto wanted = std::ranges::find_if(*batch, [&](const Span& span) { return bytes(span.span_id) == got.span_id(); });
      ASSERT_NE(wanted, batch->end());
      ++count;
      expect_equal(wanted->resource->attributes, resource.resource().attributes());
      EXPECT_EQ(got.trace_id(), bytes(wanted->trace_id));
      EXPECT_EQ(got.parent_span_id(), wanted->parent_span_id == SpanId{} ? "" : bytes(wanted->parent_span_id));
      EXPECT_EQ(got.trace_state(), wanted->trace_state);
      EXPECT_EQ(got.name(), wanted->name);
      EXPECT_EQ(static_cast<int>(got.kind()), static_cast<int>(wanted->kind));
      EXPECT_EQ(got.start_time_unix_nano(), wanted->start_unix_ns);
      EXPECT_EQ(got.end_time_unix_nano(), wanted->end_unix_ns);
      EXPECT_EQ(got.flags(), wanted->flags);
      EXPECT_EQ(static_cast<int>(got.status().code()), static_cast<int>(wanted->status));
      expect_equal(wanted->attributes, got.attributes());
      ASSERT_EQ(static_cast<size_t>(got.links_size()), wanted->links.size());
      for (int i = 0; i < got.links_size(); ++i) {
        const Link& link = wanted->links[static_cast<size_t>(i)];
        EXPECT_EQ(got.links(i).trace_id(), bytes(link.trace_id));
        EXPECT_EQ(got.links(i).span_id(), bytes(link.span_id));
        EXPECT_EQ(got.links(i).flags(), link.flags);
        EXPECT_EQ(got.links(i).trace_state(), link.trace_state);
        expect_equal(link.attributes, got.links(i).attributes());
      }
    }
  }
  EXPECT_EQ(count, batch->size());
}

std::shared_ptr<const SpanBatch> batch_with(const std::function<void(Span&)>& change) {
  SpanBatch batch = sample_spans(1, 1, testing::kSampleTime);
  change(batch[0]);
  return std::make_shared<const SpanBatch>(std::move(batch));
}

TEST(ProtobufWriter, LongValuesAndInvalidUtf8AreWellFormed) {
  const auto batch = batch_with([](Span& span) {
    span.name = "a\xFF\xC3z";
    span.attributes.add("long", std::string(300'000, 'x'));
    span.attributes.add("negative", int64_t{-1});
    span.attributes.add_named("k\x80y", std::string(200, '\xFE'));
  });
  const Request request = decode(group_of(batch));
  const auto& span = request.resource_spans(0).scope_spans(0).spans(0);
  EXPECT_EQ(span.name(), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  const auto size = span.attributes_size();
  EXPECT_EQ(span.attributes(size - 3).value().string_value().size(), 300'000U);
  EXPECT_EQ(span.attributes(size - 2).value().int_value(), -1);
  EXPECT_EQ(span.attributes(size - 1).value().string_value().size(), 600U);
}

TEST(ProtobufWriter, ManyResourcesAndASliceOfABatch) {
  SpanBatch spans = sample_spans(3000, 5, testing::kSampleTime);
  for (Span& span : spans) {
    auto resource = std::make_shared<Resource>();
    resource->attributes.add("service.name", "s" + std::to_string(span.start_unix_ns % 1500));
    span.resource = resource;
  }
  const auto batch = std::make_shared<const SpanBatch>(std::move(spans));
  EXPECT_EQ(decode({SpanSlice{batch, 10, 20}}).resource_spans_size(), 10);
  EXPECT_EQ(decode(group_of(batch)).resource_spans_size(), 3000);
}

Json as_json(const SpanGroup& group) {
  Buffer out;
  json::Writer().append(group, out);
  return Json::parse(out.view());
}

void expect_equal_json(const opentelemetry::proto::common::v1::AnyValue& wanted, const Json& got) {
  ASSERT_EQ(got.size(), 1U);
  if (wanted.has_string_value()) {
    EXPECT_EQ(got["stringValue"], wanted.string_value());
  } else if (wanted.has_int_value()) {
    EXPECT_EQ(got["intValue"], std::to_string(wanted.int_value()));
  } else if (wanted.has_bool_value()) {
    EXPECT_EQ(got["boolValue"], wanted.bool_value());
  } else if (wanted.has_double_value()) {
    EXPECT_EQ(got["doubleValue"], wanted.double_value());
  } else {
    const auto& values = wanted.array_value().values();
    ASSERT_EQ(got["arrayValue"]["values"].size(), static_cast<size_t>(values.size()));
    for (int i = 0; i < values.size(); ++i)
      EXPECT_EQ(got["arrayValue"]["values"][static_cast<size_t>(i)]["stringValue"], values[i].string_value());
  }
}

TEST(JsonWriter, SaysTheSameAsTheProtobuf) {
  const auto batch = batch_of(50);
  const Json document = as_json(group_of(batch));
  const Request request = decode(group_of(batch));
  ASSERT_EQ(document["resourceSpans"].size(), static_cast<size_t>(request.resource_spans_size()));
  for (size_t r = 0; r < document["resourceSpans"].size(); ++r) {
    const Json& resource = document["resourceSpans"][r];
    EXPECT_EQ(resource["schemaUrl"], kSchemaUrl);
    const Json& spans = resource["scopeSpans"][0]["spans"];
    const auto& other = request.resource_spans(static_cast<int>(r)).scope_spans(0).spans();
    ASSERT_EQ(spans.size(), static_cast<size_t>(other.size()));
    for (size_t s = 0; s < spans.size(); ++s) {
      const auto& wanted = other[static_cast<int>(s)];
      EXPECT_EQ(spans[s]["startTimeUnixNano"], std::to_string(wanted.start_time_unix_nano()));
      EXPECT_EQ(spans[s]["endTimeUnixNano"], std::to_string(wanted.end_time_unix_nano()));
      EXPECT_EQ(spans[s]["kind"], static_cast<int>(wanted.kind()));
      EXPECT_EQ(spans[s]["flags"], wanted.flags());
      EXPECT_EQ(spans[s]["spanId"].get<std::string>().size(), 16U);
      EXPECT_EQ(spans[s]["attributes"].size(), static_cast<size_t>(wanted.attributes_size()));
      for (int a = 0; a < wanted.attributes_size(); ++a) {
        const Json& got = spans[s]["attributes"][static_cast<size_t>(a)];
        EXPECT_EQ(got["key"], wanted.attributes(a).key());
        const auto& value = wanted.attributes(a).value();
        expect_equal_json(value, got["value"]);
      }
      EXPECT_EQ(spans[s].value("links", Json::array()).size(), static_cast<size_t>(wanted.links_size()));
    }
  }
}

TEST(JsonWriter, OneSpanLooksLikeThis) {
  SpanBatch spans(1);
  Span& span = spans[0];
  span.trace_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  span.span_id = {0xA1, 2, 3, 4, 5, 6, 7, 8};
  span.kind = SpanKind::kServer;
  span.status = StatusCode::kError;
  span.start_unix_ns = 1;
  span.end_unix_ns = 18446744073709551615U;
  span.name = "GET";
  span.attributes.add("n", -5);
  span.resource = std::make_shared<Resource>();
  Buffer out;
  json::Writer().append(group_of(std::make_shared<const SpanBatch>(std::move(spans))), out);
  const std::string url = R"("schemaUrl":"https://opentelemetry.io/schemas/1.44.0")";
  const std::string text(out.view());
  const size_t version = text.find("\"version\":\"");
  const size_t after = text.find('}', version);
  EXPECT_EQ(text.substr(0, version), R"({"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"clew",)");
  EXPECT_EQ(text.substr(after),
            R"(},"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"a102030405060708","flags":3,"name":"GET","kind":2,)"
            R"("startTimeUnixNano":"1","endTimeUnixNano":"18446744073709551615","attributes":[{"key":"n","value":{"intValue":"-5"}}],)"
            R"("status":{"code":2}}],)" +
                url + "}]," + url + "}]}");
}

/// Many spans in turn, of which most share their attributes with others, and some are changed copies.
SpanBatch sharing_spans() {
  SpanBatch spans = sample_spans(900, 5, testing::kSampleTime);
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i >= 300) spans[i].attributes = spans[i * 7 % 300].attributes;
    if (i % 10 == 9) spans[i].attributes.add("added", static_cast<int64_t>(i));
  }
  return spans;
}

/// The same without anything shared.
SpanBatch unshared(const SpanBatch& from) {
  SpanBatch spans = from;
  for (Span& span : spans) {
    Attributes own;
    for (size_t i = 0; i < span.attributes.size(); ++i) {
      const Attributes::View view = span.attributes[i];
      switch (view.type) {
        case Attributes::Type::kString: own.add_named(view.key, view.text); break;
        case Attributes::Type::kInt: own.add_named(view.key, view.integer); break;
        case Attributes::Type::kBool: own.add_named(view.key, view.integer != 0); break;
        case Attributes::Type::kDouble: own.add_named(view.key, view.number); break;
        case Attributes::Type::kStringArray: own.add_named(view.key, span.attributes.array(i)); break;
      }
    }
    span.attributes = own;
  }
  return spans;
}

template <class Writer>
std::string written_twice(const SpanBatch& spans) {
  const auto batch = std::make_shared<const SpanBatch>(spans);
  Writer writer;
  Buffer out;
  writer.append(group_of(batch), out);
  writer.append(group_of(batch), out);
  return std::string(out.view());
}

TEST(Writers, SharedAttributesAreWrittenLikeOthers) {
  const SpanBatch sharing = sharing_spans();
  const SpanBatch plain = unshared(sharing);
  EXPECT_EQ(written_twice<json::Writer>(sharing), written_twice<json::Writer>(plain));
  EXPECT_EQ(written_twice<protobuf::Writer>(sharing), written_twice<protobuf::Writer>(plain));
}

TEST(JsonText, EveryByteAtEveryPlaceGivesValidJson) {
  for (int byte = 0; byte < 256; ++byte)
    for (size_t place = 0; place < 20; ++place) {
      std::string text(20, 'a');
      text[place] = static_cast<char>(byte);
      std::string out(json::string_bound(text.size()), '\0');
      out.resize(static_cast<size_t>(json::put_string(out.data(), text) - out.data()));
      const Json parsed = Json::parse(out);  // throws on what is not valid
      if (byte < 0x80)
        EXPECT_EQ(parsed.get<std::string>(), text);
      else
        EXPECT_EQ(parsed.get<std::string>(), text.substr(0, place) + "\xEF\xBF\xBD" + text.substr(place + 1));
    }
}

TEST(JsonText, WellFormedUtf8IsKeptAndMalformedReplaced) {
  const auto write = [](std::string_view text) {
    std::string out(json::string_bound(text.size()), '\0');
    out.resize(static_cast<size_t>(json::put_string(out.data(), text) - out.data()));
    return Json::parse(out).get<std::string>();
  };
  for (std::string_view good :
       {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_EQ(write(std::string("x") + std::string(good) + "y"), std::string("x") + std::string(good) + "y");
  // Overlong, surrogate, beyond U+10FFFF, cut off.
  for (std::string_view bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x90\x80", "\xE2\x82"})
    EXPECT_NE(write(bad).find("\xEF\xBF\xBD"), std::string::npos);
}

TEST(JsonText, NumbersOfEveryLength) {
  const auto written = [](uint64_t value) {
    std::array<char, json::kDecimalMax + 1> text{};
    const char* const end = json::put_decimal_unsigned(text.data(), value);
    return std::string(text.data(), static_cast<size_t>(end - text.data()));
  };
  uint64_t power = 1;
  for (int digits = 0; digits < 20; ++digits, power *= 10)
    for (uint64_t value : {power - 1, power, power + 1, power * 7 / 3}) EXPECT_EQ(written(value), std::to_string(value));
  EXPECT_EQ(written(UINT64_MAX), std::to_string(UINT64_MAX));
}

TEST(JsonText, IdsOfEveryByte) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto other = static_cast<uint8_t>(255 - byte);
    const std::array<uint8_t, 8> id = {static_cast<uint8_t>(byte), 0, 0xff, other, 1, static_cast<uint8_t>(byte), 0x9a, other};
    std::array<char, 16> text{};
    EXPECT_EQ(json::put_hex(text.data(), id.data(), id.size()), text.data() + text.size());
    EXPECT_EQ(std::string(text.data(), text.size()), fmt::format("{0:02x}00ff{1:02x}01{0:02x}9a{1:02x}", byte, other));
  }
}

TEST(JsonText, NumbersThatJsonDoesNotKnowAreText) {
  const auto write = [](double value) {
    char buffer[32];
    return std::string(buffer, json::put_double(buffer, value));
  };
  EXPECT_EQ(write(std::nan("")), "\"NaN\"");
  EXPECT_EQ(write(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
  EXPECT_EQ(write(0.75), "0.75");
  EXPECT_EQ(Json::parse(write(-1.7976931348623157e308)).get<double>(), -1.7976931348623157e308);
}

}  // namespace
}  // namespace clew::exporter
