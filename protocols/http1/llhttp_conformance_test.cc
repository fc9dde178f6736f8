// SPDX-License-Identifier: Apache-2.0
// The parser against llhttp's own tests: Markdown files with a stream of bytes and the log of what llhttp found in it.
// They are not part of this repository. CLEW_CORPORA names a folder with llhttp/test in it; without it the test is skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "protocols/http/head.h"
#include "protocols/http1/http1.h"

namespace clew::protocols::http1 {
namespace {

struct Message {
  std::string method;
  std::string target;
  int status = 0;
  bool is_complete = false;
  uint64_t body_bytes = 0;  // of a complete message
  bool operator==(const Message&) const = default;
};

void PrintTo(const Message& m, std::ostream* out) {
  *out << m.method << ' ' << m.target << ' ' << m.status << (m.is_complete ? " complete, body " : " incomplete ") << m.body_bytes;
}

struct Case {
  std::string name;  // "request/sample.md: Simple request"
  std::string type;
  bool skips_body = false;
  std::string input;
  std::vector<Message> expected;  // those whose head llhttp saw to the end
  bool has_error = false;
};

/// Where clew goes on and llhttp in its strict mode stops. Each entry must still make a difference.
std::map<std::string, std::string> differences() {
  const std::string kBareLf = "a bare LF ends a line, as RFC 9112 §2.2 allows and most servers have it";
  const std::string kMalformedField =
      "a malformed field line is passed over, as nginx and CPython do; who refuses it answers 400, and that is a span too";
  const std::string kAnyMethod = "any token is a method; clew names those it does not know _OTHER";
  const std::string kNotHttp1 = "not HTTP/1: RTSP, ICE and HTTP/0.9 give no span";
  const std::string kChunkExtension = "only the size of a chunk matters: extensions, spaces and its line end are not judged";
  const std::string kBehindTheLast = "what a client sends behind its last request was sent, even if the server will not read it";
  const std::string kUtf8 = "servers take UTF-8 in targets";
  const std::string kUnframed = "the request is told before its body is refused: the server's 400 answers it";
  return {
      {"request/transfer-encoding.md: POST with `chunked` before other transfer coding names", kUnframed},
      {"request/transfer-encoding.md: POST with `chunked` and duplicate transfer-encoding", kUnframed},
      {"request/transfer-encoding.md: POST with `Transfer-Encoding` and `Content-Length`", kUnframed},
      {"request/content-length.md: Error on simultaneous `Content-Length` and `Transfer-Encoding: identity`", kUnframed},
      {"request/transfer-encoding.md: POST with empty `Transfer-Encoding` and `Content-Length` (lenient)", kUnframed},
      {"request/sample.md: Line folding in header value with LF", kBareLf},
      {"request/invalid.md: Headers separated by LF", kBareLf},
      {"request/invalid.md: Empty headers separated by LF", kBareLf},
      {"request/invalid.md: Missing CR between headers", kBareLf},
      {"request/invalid.md: Only LFs present", kBareLf},
      {"response/sample.md: No carriage ret", kBareLf},
      {"response/invalid.md: Only LFs present and no body", kBareLf},
      {"response/invalid.md: Only LFs present", kBareLf},
      {"request/content-length.md: Invalid whitespace token with `Content-Length` header field", kMalformedField},
      {"request/content-length.md: `Content-Length` with CR instead of dash", kMalformedField},
      {"request/lenient-header-value-relaxed.md: Control char in header value (strict)", kMalformedField},
      {"request/lenient-headers.md: Header value", kMalformedField},
      {"request/invalid.md: Headers separated by CR", kMalformedField},
      {"request/invalid.md: Empty headers separated by CR", kMalformedField},
      {"request/invalid.md: Invalid header token #1", kMalformedField},
      {"request/invalid.md: Invalid header token #2", kMalformedField},
      {"request/invalid.md: Invalid header token #3", kMalformedField},
      {"request/invalid.md: Illegal header field name line folding", kMalformedField},
      {"request/invalid.md: Corrupted Connection header", kMalformedField},
      {"request/invalid.md: Corrupted header name", kMalformedField},
      {"request/invalid.md: Spaces before headers", kMalformedField},
      {"request/connection.md: Not treating `\\r` as `-`", kMalformedField},
      {"request/connection.md: Invalid whitespace token with `Connection` header field", kMalformedField},
      {"response/sample.md: Spaces in header name", kMalformedField},
      {"response/invalid.md: Headers separated by CR", kMalformedField},
      {"request/method.md: PRI request HTTP2", kAnyMethod},
      {"request/invalid.md: HTTP protocol and ANNOUNCE method", kAnyMethod},
      {"request/invalid.md: Invalid method", kAnyMethod},
      {"request/sample.md: No HTTP version", kNotHttp1},
      {"request/method.md: SOURCE request with ICE", kNotHttp1},
      {"request/method.md: OPTIONS request with RTSP", kNotHttp1},
      {"request/method.md: ANNOUNCE request with RTSP", kNotHttp1},
      {"response/sample.md: RTSP response", kNotHttp1},
      {"response/sample.md: ICE response", kNotHttp1},
      {"response/sample.md: HTTP version 0.9", kNotHttp1},
      {"request/transfer-encoding.md: No extension after semicolon", kChunkExtension},
      {"request/transfer-encoding.md: Chunk header not terminated by CRLF", kChunkExtension},
      {"request/transfer-encoding.md: Space after chunk header", kChunkExtension},
      {"response/transfer-encoding.md: Trailing space on chunked body", kChunkExtension},
      {"response/transfer-encoding.md: No extension after semicolon", kChunkExtension},
      {"request/connection.md: No restart when keep-alive is off (1.0)", kBehindTheLast},
      {"request/uri.md: Disallow UTF-8 in URI path in strict mode", kUtf8},
  };
}

std::string unescape(std::string text) {
  text = std::regex_replace(text, std::regex(R"(\\\n)"), "");
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\n') {
      out += "\r\n";
    } else if (text[i] != '\\') {
      out += text[i];
    } else if (const size_t escape = std::string("rntf").find(next); next != '\0' && escape != std::string::npos) {
      out += "\r\n\t\f"[escape];
      ++i;
    } else if (next == 'x') {
      size_t length = 0;
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), &length, 16));
      i += 1 + length;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// A line of the log: `off=5 len=4 span[url]="/url"`, `off=60 message complete`, `off=7 error code=10 reason="…"`.
void take_log_line(const std::string& line, Case& c, Message& current, bool& has_head) {
  static const std::regex kSpan(R"(off=(\d+) len=(\d+) span\[(\w+)\].*)");
  static const std::regex kStatus(R"(off=\d+ headers complete status=(\d+).*)");
  std::smatch match;
  if (line.find(" message begin") != std::string::npos) {
    current = {};
    has_head = false;
  } else if (std::regex_match(line, match, kSpan)) {
    const std::string text = c.input.substr(std::min(c.input.size(), std::stoul(match[1])), std::stoul(match[2]));
    if (match[3] == "method") current.method += text;
    if (match[3] == "url") current.target += text;
    if (match[3] == "body" && has_head) c.expected.back().body_bytes += std::stoul(match[2]);
  } else if (line.find(" headers complete") != std::string::npos) {
    if (std::regex_match(line, match, kStatus)) current.status = std::stoi(match[1]);
    c.expected.push_back(current);
    has_head = true;
  } else if (line.find(" message complete") != std::string::npos && has_head) {
    c.expected.back().is_complete = true;
  } else if (line.find(" error code=") != std::string::npos && line.find("code=22 ") == std::string::npos) {
    c.has_error = true;  // 22 is "Pause on CONNECT/Upgrade"
  }
}

std::vector<Case> read_cases(const std::filesystem::path& path, const std::string& name) {
  static const std::regex kType(R"re("type":\s*"([\w-]+)")re");
  std::ifstream file(path, std::ios::binary);
  std::vector<Case> cases;
  std::string line, title;
  Case current;
  while (std::getline(file, line)) {
    std::smatch match;
    if (line.starts_with("##")) title = line.substr(line.find(' ') + 1);
    if (line.starts_with("<!-- meta=") && std::regex_search(line, match, kType)) {
      current = {};
      current.type = match[1];
      current.skips_body = line.find("skipBody") != std::string::npos;
      current.name = name + ": " + title;
    }
    if (line == "```http") {
      std::string text;
      while (std::getline(file, line) && line != "```") text += line + '\n';
      if (!text.empty()) text.pop_back();
      current.input = unescape(text);
    } else if (line == "```log") {
      Message message;
      bool has_head = false;
      while (std::getline(file, line) && line != "```") take_log_line(line, current, message, has_head);
      for (Message& m : current.expected)
        if (!m.is_complete) m.body_bytes = 0;
      cases.push_back(current);
    }
  }
  return cases;
}

/// What the parser finds before it says that something is wrong. Responses answer GET requests.
std::vector<Message> find_messages(const Case& c) {
  const Sender sender = c.type.starts_with("request") ? Sender::kClient : Sender::kServer;
  const auto parser = Http1().make_parser(true);
  std::string requests;
  for (int i = 0; sender == Sender::kServer && i < 32; ++i) requests += "GET / HTTP/1.1\r\n\r\n";
  for (std::string_view rest = requests; !rest.empty();) rest.remove_prefix(parser->parse(Sender::kClient, rest).consumed);

  std::vector<Message> found;
  std::string_view bytes = c.input;
  for (;;) {
    const Step step = parser->parse(sender, bytes);
    bytes.remove_prefix(step.consumed);
    switch (step.kind) {
      case Step::Kind::kHead: {
        const auto& head = static_cast<const http::MessageHead&>(*step.head);
        found.push_back(
            {std::string(head[http::Field::kMethod]), std::string(head[http::Field::kTarget]), head.status(), step.is_interim, 0});
        found.back().is_complete |= step.is_whole;
        if (step.skip > bytes.size()) return found;
        bytes.remove_prefix(static_cast<size_t>(step.skip));
        break;
      }
      case Step::Kind::kEnd:
        found.back().is_complete = true;
        found.back().body_bytes = step.body_bytes;
        break;
      case Step::Kind::kSkip:
        if (step.skip > bytes.size()) return found;
        bytes.remove_prefix(static_cast<size_t>(step.skip));
        break;
      default: return found;
    }
  }
}

class LlhttpConformance : public testing::Test {
 protected:
  void SetUp() override {
    const char* const corpora = std::getenv("CLEW_CORPORA");
    const std::filesystem::path root = std::filesystem::path(corpora == nullptr ? "" : corpora) / "llhttp" / "test";
    if (corpora == nullptr || !std::filesystem::exists(root)) GTEST_SKIP() << "no llhttp/test in CLEW_CORPORA";
    for (const char* folder : {"request", "response"})
      for (const auto& entry : std::filesystem::directory_iterator(root / folder))
        for (Case& c : read_cases(entry.path(), std::string(folder) + "/" + entry.path().filename().string())) {
          const bool is_strict = c.type.find("lenient") == std::string::npos;
          if (is_strict && !c.skips_body) cases_.push_back(std::move(c));
        }
  }
  std::vector<Case> cases_;
};

TEST_F(LlhttpConformance, FindsTheMessagesThatLlhttpFinds) {
  const std::map<std::string, std::string> deliberate = differences();
  std::set<std::string> different;
  size_t with_error = 0;
  for (const Case& c : cases_) {
    with_error += c.has_error ? 1 : 0;
    const std::vector<Message> found = find_messages(c);
    if (found == c.expected) continue;
    different.insert(c.name);
    if (deliberate.contains(c.name)) continue;
    ADD_FAILURE() << c.name << (c.has_error ? " (llhttp: error)" : "") << "\n  clew:   " << testing::PrintToString(found)
                  << "\n  llhttp: " << testing::PrintToString(c.expected);
  }
  for (const auto& [name, reason] : deliberate) EXPECT_TRUE(different.contains(name)) << name << " no longer differs by: " << reason;
  std::cout << cases_.size() << " cases, " << with_error << " of them errors, " << different.size() << " deliberately different\n";
  EXPECT_GT(cases_.size(), 190U);
}

}  // namespace
}  // namespace clew::protocols::http1
