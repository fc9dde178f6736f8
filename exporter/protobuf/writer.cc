// SPDX-License-Identifier: Apache-2.0
// The numbers are those of opentelemetry-proto (exporter/proto/ has the same, for the tests).
#include "exporter/protobuf/writer.h"

#include "exporter/protobuf/wire.h"

namespace clew::exporter::protobuf {
namespace {

using base::Attributes;

namespace request {
constexpr uint32_t kResourceSpans = 1;
}
namespace resource_spans {
constexpr uint32_t kResource = 1, kScopeSpans = 2, kSchemaUrl = 3;
}
namespace resource {
constexpr uint32_t kAttributes = 1;
}
namespace scope_spans {
constexpr uint32_t kScope = 1, kSpans = 2, kSchemaUrl = 3;
}
namespace scope {
constexpr uint32_t kName = 1, kVersion = 2;
}
namespace span_field {
constexpr uint32_t kTraceId = 1, kSpanId = 2, kTraceState = 3, kParentSpanId = 4, kName = 5, kKind = 6, kStart = 7, kEnd = 8,
                   kAttributes = 9, kLinks = 13, kStatus = 15, kFlags = 16;
}
namespace link_field {
constexpr uint32_t kTraceId = 1, kSpanId = 2, kTraceState = 3, kAttributes = 4, kFlags = 6;
}
namespace status_field {
constexpr uint32_t kCode = 3;
}
namespace key_value {
constexpr uint32_t kKey = 1, kValue = 2;
}
namespace any_value {
constexpr uint32_t kString = 1, kBool = 2, kInt = 3, kDouble = 4, kArray = 5;
}
namespace array_value {
constexpr uint32_t kValues = 1;
}

// How many bytes a length usually takes: attributes are short, a span is below 16 KB, a request below 2 MB.
constexpr size_t kShort = 1;
constexpr size_t kMiddle = 2;
constexpr size_t kLong = 3;

template <size_t N>
std::string_view as_bytes(const std::array<uint8_t, N>& id) {
  return {reinterpret_cast<const char*>(id.data()), N};
}

void write_value(Encoder& out, const Attributes& attributes, size_t index, const Attributes::View& attribute) {
  switch (attribute.type) {
    case Attributes::Type::kString: out.text(any_value::kString, attribute.text); break;
    case Attributes::Type::kBool: out.varint(any_value::kBool, attribute.integer != 0); break;
    case Attributes::Type::kInt: out.varint(any_value::kInt, static_cast<uint64_t>(attribute.integer)); break;
    case Attributes::Type::kDouble: out.number(any_value::kDouble, attribute.number); break;
    case Attributes::Type::kStringArray:
      out.message(any_value::kArray, kShort, [&] {
        for (std::string_view value : attributes.array(index))
          out.message(array_value::kValues, kShort, [&] { out.text(any_value::kString, value); });
      });
      break;
  }
}

void write_attributes(Encoder& out, uint32_t field, const Attributes& attributes) {
  for (size_t i = 0; i < attributes.size(); ++i) {
    const Attributes::View attribute = attributes[i];
    out.message(field, kShort, [&] {
      out.text(key_value::kKey, attribute.key);
      out.message(key_value::kValue, kShort, [&] { write_value(out, attributes, i, attribute); });
    });
  }
}

void write_link(Encoder& out, const Link& link) {
  out.bytes(link_field::kTraceId, as_bytes(link.trace_id));
  out.bytes(link_field::kSpanId, as_bytes(link.span_id));
  if (!link.trace_state.empty()) out.text(link_field::kTraceState, link.trace_state);
  write_attributes(out, link_field::kAttributes, link.attributes);
  if (link.flags != 0) out.fixed32(link_field::kFlags, link.flags);
}

void write_span(Encoder& out, const Span& span, AttributesCache& cache) {
  out.bytes(span_field::kTraceId, as_bytes(span.trace_id));
  out.bytes(span_field::kSpanId, as_bytes(span.span_id));
  if (!span.trace_state.empty()) out.text(span_field::kTraceState, span.trace_state);
  if (span.parent_span_id != SpanId{}) out.bytes(span_field::kParentSpanId, as_bytes(span.parent_span_id));
  out.text(span_field::kName, span.name);
  out.varint(span_field::kKind, static_cast<uint64_t>(span.kind));
  out.fixed64(span_field::kStart, span.start_unix_ns);
  out.fixed64(span_field::kEnd, span.end_unix_ns);
  cache.append(span.attributes, out.buffer(),
               [&out](const Attributes& attributes, Buffer&) { write_attributes(out, span_field::kAttributes, attributes); });
  for (const Link& link : span.links) out.message(span_field::kLinks, kShort, [&] { write_link(out, link); });
  if (span.status != StatusCode::kUnset)
    out.message(span_field::kStatus, kShort, [&] { out.varint(status_field::kCode, static_cast<uint64_t>(span.status)); });
  if (span.flags != 0) out.fixed32(span_field::kFlags, span.flags);
}

void encode_resource(const Resource& from, std::string& text) {
  Buffer buffer;
  Encoder out(buffer);
  write_attributes(out, resource::kAttributes, from.attributes);
  text = buffer.view();
}

}  // namespace

void Writer::append(const SpanGroup& group, Buffer& buffer) {
  Encoder out(buffer);
  for (const ByResource::Part& part : by_resource_.group(group)) {
    out.message(request::kResourceSpans, kLong, [&] {
      out.bytes(resource_spans::kResource, resources_.get(*part.resource, encode_resource));
      out.message(resource_spans::kScopeSpans, kLong, [&] {
        out.message(scope_spans::kScope, kShort, [&] {
          out.text(scope::kName, kScopeName);
          out.text(scope::kVersion, CLEW_VERSION);
        });
        for (const Span* span : part.spans) out.message(scope_spans::kSpans, kMiddle, [&] { write_span(out, *span, attributes_); });
        out.text(scope_spans::kSchemaUrl, kSchemaUrl);
      });
      out.text(resource_spans::kSchemaUrl, kSchemaUrl);
    });
  }
}

}  // namespace clew::exporter::protobuf
