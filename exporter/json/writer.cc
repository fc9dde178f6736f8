// SPDX-License-Identifier: Apache-2.0
#include "exporter/json/writer.h"

#include <cstring>

#include "exporter/json/text.h"

namespace clew::exporter::json {
namespace {

using base::Attributes;

template <size_t N>
char* lit(char* at, const char (&literal)[N]) {
  std::memcpy(at, literal, N - 1);
  return at + N - 1;
}

/// Most that stands around the text of an attribute, or of an element of an array, with a literal key.
constexpr size_t kFrame = 80 + base::Key::kLengthMax;

/// Room for all attributes that are no arrays.
size_t bound(const Attributes& attributes) { return string_bound(attributes.text_bytes()) + attributes.size() * kFrame; }

char* put_key(char* at, const Attributes::View& attribute) {
  if (attribute.has_literal_key) return put_plain(lit(at, R"({"key":")"), attribute.key);
  at = put_string(lit(at, R"({"key":)"), attribute.key);
  return at - 1;  // without its last quote
}

void write_array(const std::vector<std::string_view>& values, Buffer& out) {
  out.append(R"(","value":{"arrayValue":{"values":[)");
  for (std::string_view value : values) {
    char* at = out.reserve(string_bound(value.size()) + kFrame);
    at = lit(at, R"({"stringValue":)");
    at = put_string(at, value);
    out.set_end(lit(at, "},"));
  }
  if (!values.empty()) out.drop_last();
  out.append("]}}},");
}

/// "attributes":[…], with the comma; nothing if there are none.
void write_attributes(const Attributes& attributes, Buffer& out) {
  if (attributes.empty()) return;
  char* at = lit(out.reserve(bound(attributes) + kFrame), R"("attributes":[)");
  for (size_t i = 0; i < attributes.size(); ++i) {
    const Attributes::View attribute = attributes[i];
    at = put_key(at, attribute);
    switch (attribute.type) {
      case Attributes::Type::kString:
        at = lit(at, R"(","value":{"stringValue":)");
        at = put_string(at, attribute.text);
        at = lit(at, "}},");
        break;
      case Attributes::Type::kInt:
        at = lit(at, R"(","value":{"intValue":")");
        at = put_decimal(at, attribute.integer);
        at = lit(at, "\"}},");
        break;
      case Attributes::Type::kDouble:
        at = lit(at, R"(","value":{"doubleValue":)");
        at = put_double(at, attribute.number);
        at = lit(at, "}},");
        break;
      case Attributes::Type::kBool:
        at = attribute.integer != 0 ? lit(at, R"(","value":{"boolValue":true}},)") : lit(at, R"(","value":{"boolValue":false}},)");
        break;
      case Attributes::Type::kStringArray:
        out.set_end(at);
        write_array(attributes.array(i), out);
        at = out.reserve(bound(attributes) + kFrame);
        break;
    }
  }
  out.set_end(at);
  out.drop_last();
  out.append("],");
}

char* put_flags(char* at, uint32_t flags) {
  if (flags == 0) return at;
  at = lit(at, R"("flags":)");
  at = put_decimal_unsigned(at, flags);
  *at++ = ',';
  return at;
}

char* put_trace_state(char* at, std::string_view state) {
  if (state.empty()) return at;
  at = lit(at, R"("traceState":)");
  at = put_string(at, state);
  *at++ = ',';
  return at;
}

void write_links(const std::vector<Link>& links, Buffer& out) {
  if (links.empty()) return;
  out.append(R"("links":[)");
  for (const Link& link : links) {
    char* at = out.reserve(string_bound(link.trace_state.size()) + 160);
    at = lit(at, R"({"traceId":")");
    at = put_hex(at, link.trace_id.data(), link.trace_id.size());
    at = lit(at, R"(","spanId":")");
    at = put_hex(at, link.span_id.data(), link.span_id.size());
    at = lit(at, R"(",)");
    at = put_trace_state(at, link.trace_state);
    out.set_end(at);
    write_attributes(link.attributes, out);
    at = put_flags(out.reserve(32), link.flags);
    out.set_end(at);
    out.drop_last();  // the comma
    out.append("},");
  }
  out.drop_last();
  out.append("],");
}

void write_span(const Span& span, AttributesCache& cache, Buffer& out) {
  char* at = out.reserve(string_bound(span.trace_state.size()) + string_bound(span.name.size()) + 384);
  at = lit(at, R"({"traceId":")");
  at = put_hex(at, span.trace_id.data(), span.trace_id.size());
  at = lit(at, R"(","spanId":")");
  at = put_hex(at, span.span_id.data(), span.span_id.size());
  at = lit(at, R"(",)");
  at = put_trace_state(at, span.trace_state);
  if (span.parent_span_id != SpanId{}) {
    at = lit(at, R"("parentSpanId":")");
    at = put_hex(at, span.parent_span_id.data(), span.parent_span_id.size());
    at = lit(at, R"(",)");
  }
  at = put_flags(at, span.flags);
  at = lit(at, R"("name":)");
  at = put_string(at, span.name);
  at = lit(at, R"(,"kind":)");
  *at++ = static_cast<char>('0' + static_cast<int>(span.kind));
  at = lit(at, R"(,"startTimeUnixNano":")");
  at = put_decimal_unsigned(at, span.start_unix_ns);
  at = lit(at, R"(","endTimeUnixNano":")");
  at = put_decimal_unsigned(at, span.end_unix_ns);
  at = lit(at, R"(",)");
  out.set_end(at);
  cache.append(span.attributes, out, write_attributes);
  write_links(span.links, out);
  switch (span.status) {
    case StatusCode::kUnset: out.append(R"("status":{}})"); break;
    case StatusCode::kOk: out.append(R"("status":{"code":1}})"); break;
    case StatusCode::kError: out.append(R"("status":{"code":2}})"); break;
  }
}

void encode_resource(const Resource& resource, std::string& out) {
  Buffer text;
  write_attributes(resource.attributes, text);
  if (!resource.attributes.empty()) text.drop_last();
  out = text.view();
}

constexpr std::string_view kScope = R"(},"scopeSpans":[{"scope":{"name":"clew","version":")" CLEW_VERSION R"("},"spans":[)";

}  // namespace

void Writer::append(const SpanGroup& group, Buffer& out) {
  if (span_count(group) == 0) return;
  out.append(R"({"resourceSpans":[)");
  for (const ByResource::Part& part : by_resource_.group(group)) {
    out.append(R"({"resource":{)");
    out.append(resources_.get(*part.resource, encode_resource));
    out.append(kScope);
    for (const Span* span : part.spans) {
      write_span(*span, attributes_, out);
      out.append(",");
    }
    out.drop_last();
    out.append(R"(],"schemaUrl":")");
    out.append(kSchemaUrl);
    out.append(R"("}],"schemaUrl":")");
    out.append(kSchemaUrl);
    out.append("\"},");
  }
  out.drop_last();
  out.append("]}");
}

}  // namespace clew::exporter::json
