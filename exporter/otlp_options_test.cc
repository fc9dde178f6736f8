// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace clew::exporter {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Variables = std::map<std::string, std::string>;

struct Parsed {
  base::Result<OtlpOptions> options;
  std::vector<std::string> warnings;
};

Parsed parse(const OtlpArguments& arguments, const Variables& variables = {}) {
  std::vector<std::string> warnings;
  const Environment environment = [&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  auto options = parse_otlp_options(arguments, environment, warnings);
  return {std::move(options), std::move(warnings)};
}

std::string target(const OtlpArguments& arguments, const Variables& variables = {}) {
  const Parsed parsed = parse(arguments, variables);
  return parsed.options ? parsed.options->target : "error: " + parsed.options.error().message;
}

TEST(OtlpOptions, DefaultsToGrpcOnLocalhost) {
  const Parsed parsed = parse({});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->protocol, OtlpProtocol::kGrpc);
  EXPECT_EQ(parsed.options->target, "localhost:4317");
  EXPECT_FALSE(parsed.options->tls);
  EXPECT_EQ(parsed.options->timeout, 10s);
  EXPECT_EQ(parsed.options->schedule_delay, 5s);
  EXPECT_EQ(parsed.options->export_timeout, 30s);
  EXPECT_EQ(parsed.options->max_batch_size, 512U);
  EXPECT_THAT(parsed.warnings, IsEmpty());
}

TEST(OtlpOptions, HttpAppendsThePathToABase) {
  EXPECT_EQ(target({.url = "http://h:4318", .protocol = "http/protobuf"}), "http://h:4318/v1/traces");
  EXPECT_EQ(target({.url = "http://h:4318/", .protocol = "http/json"}), "http://h:4318/v1/traces");
  EXPECT_EQ(target({.url = "https://h/otlp/", .protocol = "http/json"}), "https://h/otlp/v1/traces");
  EXPECT_EQ(target({.url = "http://h:4318/v1/traces", .protocol = "http/json"}), "http://h:4318/v1/traces");
  const Variables http{{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:1/x"}};
  EXPECT_EQ(target({}, http), "http://b:1/x/v1/traces");
}

TEST(OtlpOptions, EndpointForTracesIsUsedAsItIs) {
  Variables variables{{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
                      {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/custom"},
                      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:1"}};
  EXPECT_EQ(target({}, variables), "http://t:1/custom");
  variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://t:1";
  EXPECT_EQ(target({}, variables), "http://t:1/");
}

TEST(OtlpOptions, CommandLineWinsOverVariables) {
  const Variables variables{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:1"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}};
  EXPECT_EQ(target({.url = "http://mine:4317", .protocol = "grpc"}, variables), "mine:4317");
}

TEST(OtlpOptions, PortsAreThoseThatThereAre) {
  for (const char* protocol : {"grpc", "http/json"})
    for (const char* bad : {"http://h:0", "http://h:70000", "https://[::1]:65536/x", "http://h:", "http://h:43x7"}) {
      EXPECT_THAT(target({.url = bad, .protocol = protocol}), HasSubstr("a port is a whole number from 1 to 65535")) << bad;
      const Variables variables{{"OTEL_EXPORTER_OTLP_PROTOCOL", protocol}, {"OTEL_EXPORTER_OTLP_ENDPOINT", bad}};
      EXPECT_THAT(target({}, variables), HasSubstr(std::string("OTEL_EXPORTER_OTLP_ENDPOINT=") + bad)) << bad;
    }
  EXPECT_EQ(target({.url = "http://[::1]:65535", .protocol = "grpc"}), "[::1]:65535");
  EXPECT_EQ(target({.url = "http://[::1]", .protocol = "grpc"}), "[::1]:80");
}

TEST(OtlpOptions, SchemeDecidesTlsAndInsecureOnlyWithoutOne) {
  EXPECT_TRUE(parse({.url = "https://h:4317"}).options->tls);
  EXPECT_FALSE(parse({.url = "http://h:4317"}, {{"OTEL_EXPORTER_OTLP_INSECURE", "false"}}).options->tls);
  EXPECT_TRUE(parse({.url = "h:4317"}).options->tls);
  EXPECT_FALSE(parse({.url = "h:4317"}, {{"OTEL_EXPORTER_OTLP_INSECURE", "TRUE"}}).options->tls);
  EXPECT_TRUE(parse({.url = "h:4317"}, {{"OTEL_EXPORTER_OTLP_INSECURE", "1"}}).options->tls);
  EXPECT_EQ(target({.url = "[::1]"}), "[::1]:4317");
}

TEST(OtlpOptions, WrongUrlOrProtocolIsAnErrorThatSaysSo) {
  EXPECT_THAT(target({.url = "http://"}), HasSubstr("not a URL like"));
  EXPECT_THAT(target({.url = "ftp://h:1"}), HasSubstr("scheme"));
  EXPECT_THAT(target({.url = "h:4318", .protocol = "http/json"}), HasSubstr("http://"));
  EXPECT_THAT(target({.url = "http://a b"}), HasSubstr("not a URL"));
  EXPECT_THAT(target({.url = "http://h:1", .protocol = "thrift"}), HasSubstr("grpc, http/protobuf or http/json"));
}

TEST(OtlpOptions, VariablesForTracesWinAndEmptyIsUnset) {
  const Parsed parsed = parse({}, {{"OTEL_EXPORTER_OTLP_HEADERS", "a=1"},
                                   {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"},
                                   {"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"},
                                   {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", ""},
                                   {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"},
                                   {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"},
                                   {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/key"},
                                   {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert"}});
  ASSERT_TRUE(parsed.options);
  EXPECT_THAT(parsed.options->headers, ElementsAre(Pair("b", "2")));
  EXPECT_EQ(parsed.options->timeout, 1500ms);
  EXPECT_EQ(parsed.options->compression, Compression::kGzip);
  EXPECT_EQ(parsed.options->ca_file, "/ca");
  EXPECT_EQ(parsed.options->client_key_file, "/key");
  EXPECT_EQ(parsed.options->client_cert_file, "/cert");
}

TEST(OtlpOptions, HeadersAreDecodedAndBadOnesLeftOutWithoutTheirValue) {
  const Parsed parsed = parse({}, {{"OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b%3D, x=1 ,broken,bad name=v,y=%zz-secret,z=a%0d%0ab"}});
  ASSERT_TRUE(parsed.options);
  EXPECT_THAT(parsed.options->headers, ElementsAre(Pair("api-key", "a b="), Pair("x", "1")));
  EXPECT_EQ(parsed.warnings.size(), 4U);
  for (const std::string& warning : parsed.warnings) EXPECT_EQ(warning.find("secret"), std::string::npos);
}

TEST(OtlpOptions, BadValuesAreToldAndIgnored) {
  const Parsed parsed = parse({}, {{"OTEL_EXPORTER_OTLP_PROTOCOL", "thrift"},
                                   {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
                                   {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"},
                                   {"OTEL_BSP_SCHEDULE_DELAY", "-1"},
                                   {"OTEL_BSP_MAX_QUEUE_SIZE", "0"},
                                   {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999999999999999999"}});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.warnings.size(), 6U);
  EXPECT_EQ(parsed.options->protocol, OtlpProtocol::kGrpc);
  EXPECT_EQ(parsed.options->timeout, 10s);
  EXPECT_EQ(parsed.options->max_queue_size, 8192U);
}

TEST(OtlpOptions, BatchingFollowsItsVariables) {
  const Parsed parsed = parse({}, {{"OTEL_BSP_SCHEDULE_DELAY", "100"},
                                   {"OTEL_BSP_EXPORT_TIMEOUT", "200"},
                                   {"OTEL_BSP_MAX_QUEUE_SIZE", "64"},
                                   {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"}});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->schedule_delay, 100ms);
  EXPECT_EQ(parsed.options->export_timeout, 200ms);
  EXPECT_EQ(parsed.options->max_queue_size, 64U);
  EXPECT_EQ(parsed.options->max_batch_size, 64U) << "a batch is not larger than the queue";
  EXPECT_EQ(parsed.warnings.size(), 1U);
}

}  // namespace
}  // namespace clew::exporter
