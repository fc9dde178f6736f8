// SPDX-License-Identifier: Apache-2.0
// Attributes by the conventions, one rule a test.
#include "protocols/http/describe.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "protocols/http1/http1.h"

namespace clew::protocols::http1 {
namespace {

/// One exchange on a socket 10.0.0.9:4000 → 10.0.0.1:8080.
class DescribeTest : public testing::Test {
 protected:
  DescribeTest() {
    facts_.server_address = "10.0.0.1";
    facts_.server_port = 8080;
    facts_.client_address = "10.0.0.9";
    facts_.client_port = 4000;
  }
  Description describe(const std::string& request, const std::string& response = "") {
    const auto parser = http_.make_parser(true);
    const std::string first = request.empty() ? "GET / HTTP/1.1\r\n\r\n" : request + "\r\n\r\n";
    const Step asked = parser->parse(Sender::kClient, first);
    const Step answered = parser->parse(Sender::kServer, response + "\r\n\r\n");
    facts_.request = request.empty() ? nullptr : asked.head.get();
    facts_.response = response.empty() ? nullptr : answered.head.get();
    facts_.response_complete = !response.empty() && facts_.failure.empty();
    return http_.describe(facts_);
  }
  static std::string get(const Description& d, std::string_view key) {
    const size_t index = d.attributes.find(key);
    if (index == d.attributes.size()) return "(none)";
    const auto attribute = d.attributes[index];
    return attribute.type == base::Attributes::Type::kInt ? std::to_string(attribute.integer) : std::string(attribute.text);
  }
  ExchangeFacts facts_;
  Http1 http_;
};

TEST_F(DescribeTest, ServerSpanHasWhatTheConventionsAskFor) {
  facts_.response_body_bytes = 7;
  const Description d = describe("GET /a?b=c HTTP/1.1\r\nHost: shop:81\r\nUser-Agent: x/1", "HTTP/1.1 200 OK");
  EXPECT_EQ(d.name, "GET");
  EXPECT_FALSE(d.is_error);
  EXPECT_EQ(get(d, "http.request.method"), "GET");
  EXPECT_EQ(get(d, "http.request.method_original"), "(none)");
  EXPECT_EQ(get(d, "url.scheme"), "http");
  EXPECT_EQ(get(d, "url.path"), "/a");
  EXPECT_EQ(get(d, "url.query"), "b=REDACTED");
  EXPECT_EQ(get(d, "url.full"), "(none)");
  EXPECT_EQ(get(d, "server.address"), "shop");
  EXPECT_EQ(get(d, "server.port"), "81");
  EXPECT_EQ(get(d, "client.address"), "10.0.0.9");
  EXPECT_EQ(get(d, "user_agent.original"), "x/1");
  EXPECT_EQ(get(d, "http.response.status_code"), "200");
  EXPECT_EQ(get(d, "http.response.body.size"), "7");
  EXPECT_EQ(get(d, "network.protocol.name"), "(none)");
  EXPECT_EQ(get(d, "network.protocol.version"), "1.1");
  EXPECT_EQ(get(d, "error.type"), "(none)");
}

TEST_F(DescribeTest, ClientSpanHasTheWholeUrlWithoutSecrets) {
  facts_.is_client_side = true;
  Description d = describe("GET /a?b=c HTTP/1.1\r\nHost: shop:81", "HTTP/1.1 200 OK");
  EXPECT_EQ(get(d, "url.full"), "http://shop:81/a?b=REDACTED");
  EXPECT_EQ(get(d, "server.address"), "shop");
  EXPECT_EQ(get(d, "url.path"), "(none)");
  d = describe("GET http://u:p@shop/a HTTP/1.1\r\nHost: proxy", "HTTP/1.1 200 OK");
  EXPECT_EQ(get(d, "url.full"), "http://REDACTED:REDACTED@shop/a");
  EXPECT_EQ(get(d, "server.address"), "shop");
  EXPECT_EQ(get(d, "server.port"), "80");
  d = describe("GET / HTTP/1.0", "HTTP/1.1 200 OK");
  EXPECT_EQ(get(d, "url.full"), "http://10.0.0.1:8080/");
  EXPECT_EQ(get(d, "server.port"), "8080");
  d = describe("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432", "HTTP/1.1 200 OK");
  EXPECT_EQ(get(d, "url.full"), "http://db:5432");
  d = describe("CONNECT /chat?token=secret HTTP/1.1\r\nHost: shop", "HTTP/1.1 200 OK");  // as HTTP/2 opens a WebSocket
  EXPECT_EQ(get(d, "url.full"), "http://shop/chat?token=REDACTED");
  facts_.server_address = "/run/shop.sock";
  facts_.server_port = 0;
  EXPECT_EQ(get(describe("GET /a HTTP/1.0", "HTTP/1.1 200 OK"), "url.full"), "http://%2Frun%2Fshop.sock/a");
}

TEST_F(DescribeTest, AClientDoesNotBelieveItsOwnForwardedFields) {
  facts_.is_client_side = true;
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nHost: next\r\nX-Forwarded-Host: front"), "server.address"), "next");
}

TEST_F(DescribeTest, CapturedQueriesStillLoseTheirSecrets) {
  facts_.capture_query = true;
  EXPECT_EQ(get(describe("GET /?a=1&token=x HTTP/1.1"), "url.query"), "a=1&token=REDACTED");
}

TEST_F(DescribeTest, SchemesAreInLowerCase) {
  for (const char* field : {"X-Forwarded-Proto: HTTPS", "Forwarded: proto=HTTPS", "Forwarded: for=a;Proto=\"Https\""}) {
    const Description d = describe(std::string("GET / HTTP/1.1\r\nHost: a\r\n") + field);
    EXPECT_EQ(get(d, "url.scheme"), "https") << field;
    EXPECT_EQ(get(d, "server.port"), "443") << field;
  }
  EXPECT_EQ(get(describe("GET HTTP://a/ HTTP/1.1\r\nHost: a"), "url.scheme"), "http");
}

TEST_F(DescribeTest, TheServerIsWhereTheClientWantedToGo) {
  const std::string host = "\r\nHost: host:1";
  EXPECT_EQ(get(describe("GET / HTTP/1.1" + host), "server.address"), "host");
  EXPECT_EQ(get(describe("GET http://target:2/ HTTP/1.1" + host), "server.address"), "target");
  EXPECT_EQ(get(describe("GET http://target:2/ HTTP/1.1\r\nX-Forwarded-Host: x:3, y" + host), "server.address"), "x");
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nX-Forwarded-Host: x:3\r\nForwarded: host=\"f:4\"" + host), "server.port"), "4");
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nHost: what is this"), "server.address"), "10.0.0.1");
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nHost: a"), "server.port"), "443");
}

TEST_F(DescribeTest, TheClientIsTheFirstInLine) {
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7, 10.0.0.2"), "client.address"), "192.0.2.7");
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nForwarded: for=\"[::1]:9\"\r\nX-Forwarded-For: 192.0.2.7"), "client.address"), "::1");
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nForwarded: for=unknown"), "client.address"), "10.0.0.9");
}

TEST_F(DescribeTest, UnknownMethodsAreFew) {
  const Description d = describe("BREW /pot HTTP/1.1");
  EXPECT_EQ(d.name, "HTTP");
  EXPECT_EQ(get(d, "http.request.method"), "_OTHER");
  EXPECT_EQ(get(d, "http.request.method_original"), "BREW");
  EXPECT_EQ(describe("get / HTTP/1.1").name, "HTTP");
  http_ = Http1({"BREW"});
  EXPECT_EQ(describe("BREW /pot HTTP/1.1").name, "BREW");
  EXPECT_EQ(describe("GET / HTTP/1.1").name, "HTTP");
}

TEST_F(DescribeTest, A4xxIsTheClientsError) {
  EXPECT_FALSE(describe("GET / HTTP/1.1", "HTTP/1.1 404 No").is_error);
  EXPECT_TRUE(describe("GET / HTTP/1.1", "HTTP/1.1 503 No").is_error);
  facts_.is_client_side = true;
  const Description d = describe("GET / HTTP/1.1", "HTTP/1.1 404 No");
  EXPECT_TRUE(d.is_error);
  EXPECT_EQ(get(d, "error.type"), "404");
  EXPECT_FALSE(describe("GET / HTTP/1.1", "HTTP/1.1 302 Found").is_error);
}

TEST_F(DescribeTest, AMissingResponseIsAnErrorByItsFailure) {
  facts_.failure = "connection_reset";
  Description d = describe("GET / HTTP/1.1");
  EXPECT_TRUE(d.is_error);
  EXPECT_EQ(get(d, "error.type"), "connection_reset");
  EXPECT_EQ(get(d, "http.response.status_code"), "(none)");
  d = describe("GET / HTTP/1.1", "HTTP/1.1 200 OK");  // half of a response
  EXPECT_EQ(get(d, "error.type"), "connection_reset");
  facts_.failure = "";
  EXPECT_FALSE(describe("GET / HTTP/1.1").is_error);
}

TEST_F(DescribeTest, AResponseAloneIsDescribedToo) {
  const Description d = describe("", "HTTP/1.0 500 No");
  EXPECT_EQ(d.name, "HTTP");
  EXPECT_EQ(get(d, "http.response.status_code"), "500");
  EXPECT_EQ(get(d, "network.protocol.version"), "1.0");
  EXPECT_EQ(get(d, "http.request.method"), "(none)");
}

TEST_F(DescribeTest, WhatIsEncryptedIsHttps) {
  facts_.is_encrypted = true;
  const Description server = describe("GET /a HTTP/1.1\r\nHost: shop", "HTTP/1.1 200 OK");
  EXPECT_EQ(get(server, "url.scheme"), "https");
  EXPECT_EQ(get(server, "server.port"), "443");
  facts_.is_client_side = true;
  const Description client = describe("GET /a HTTP/1.1\r\nHost: shop", "HTTP/1.1 200 OK");
  EXPECT_EQ(get(client, "url.full"), "https://shop/a");
  EXPECT_EQ(get(client, "server.port"), "443");
  facts_.server_port = 443;
  EXPECT_EQ(get(describe("GET /a HTTP/1.0", "HTTP/1.1 200 OK"), "url.full"), "https://10.0.0.1/a");
  facts_.server_port = 80;
  EXPECT_EQ(get(describe("GET /a HTTP/1.0", "HTTP/1.1 200 OK"), "url.full"), "https://10.0.0.1:80/a");
}

TEST_F(DescribeTest, AProxyThatDecryptsKnowsBetterThanTheWire) {
  facts_.is_encrypted = true;
  EXPECT_EQ(get(describe("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http", "HTTP/1.1 200 OK"), "url.scheme"), "http");
}

TEST(Http1Describe, KnownMethodsComeFromTheEnvironment) {
  const auto method_of = [](const char* value) {
    Http1 protocol;
    protocol.configure(
        [value](const char* name) { return std::string_view(name) == "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS" ? value : nullptr; });
    const std::unique_ptr<Parser> parser = protocol.make_parser(true);
    const Step step = parser->parse(Sender::kClient, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
    ExchangeFacts facts;
    facts.request = step.head.get();
    return protocol.describe(facts).name.substr(0, 4);
  };
  EXPECT_EQ(method_of(nullptr), "HTTP");
  EXPECT_EQ(method_of(""), "HTTP");
  EXPECT_EQ(method_of("GET, BREW"), "BREW");
}

TEST_F(DescribeTest, ACallOfConnectByGetIsKnownByItsQuery) {
  const Description d = describe("GET /shop.Cart/Get?connect=v1&encoding=json&message=%7B%7D HTTP/1.1\r\nHost: shop", "HTTP/1.1 200 OK");
  EXPECT_EQ(d.name, "shop.Cart/Get");
  EXPECT_EQ(get(d, "rpc.system.name"), "connectrpc");
  EXPECT_EQ(describe("GET /page?connect=v1 HTTP/1.1\r\nHost: shop", "HTTP/1.1 200 OK").name, "GET");
}

}  // namespace
}  // namespace clew::protocols::http1
