// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_http.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <ctime>

#include "exporter/gzip.h"
#include "exporter/otlp_answer.h"

namespace clew::exporter {
namespace {

using Clock = Patience::Clock;
using Kind = OtlpReply::Kind;

constexpr std::string_view kProtobufType = "application/x-protobuf";
constexpr std::string_view kJsonType = "application/json";
constexpr int kPollMs = 50;  // how late the end of patience may be noticed
constexpr size_t kMessageBytes = 300;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
/// libcurl counts these.
struct Library {
  Library() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { curl_global_cleanup(); }
};

bool is_type(std::string_view content_type, std::string_view wanted) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return std::ranges::equal(type, wanted, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

class HttpTransport final : public OtlpTransport {
 public:
  explicit HttpTransport(const OtlpOptions& options) : options_(options) {}

  std::string prepare(std::string body) override { return options_.compression == Compression::kGzip ? gzip(body) : std::move(body); }

  OtlpReply send(const std::string& body, Clock::time_point deadline, const Patience& patience) override {
    if (easy_ == nullptr) connect();
    answer_.clear();
    answer_too_large_ = false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    curl_easy_setopt(easy_.get(), CURLOPT_TIMEOUT_MS, std::max<long>(left.count(), 1L));
    curl_easy_setopt(easy_.get(), CURLOPT_CONNECTTIMEOUT_MS, std::max<long>(left.count(), 1L));
    curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    const std::optional<CURLcode> code = perform(patience);
    if (!code) return {.kind = Kind::kCancelled, .reason = "shutdown", .message = "clew stops", .retry_after = {}, .warning = {}};
    return judge(*code);
  }

 private:
  void connect();
  void set_headers();
  std::optional<CURLcode> perform(const Patience& patience);
  OtlpReply judge(CURLcode code);
  static size_t on_body(char* data, size_t size, size_t count, void* self);

  Library library_;
  const OtlpOptions options_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::string answer_;
  bool answer_too_large_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

void HttpTransport::set_headers() {
  std::vector<std::string> lines;
  for (const auto& [name, value] : options_.headers) lines.push_back(fmt::format("{}: {}", name, value));
  lines.push_back(fmt::format("Content-Type: {}", options_.protocol == OtlpProtocol::kHttpJson ? kJsonType : kProtobufType));
  if (options_.compression == Compression::kGzip) lines.emplace_back("Content-Encoding: gzip");
  lines.emplace_back("Expect:");  // no 100-continue: it costs a round trip
  for (const std::string& line : lines) headers_.reset(curl_slist_append(headers_.release(), line.c_str()));
}

void HttpTransport::connect() {
  multi_.reset(curl_multi_init());
  easy_.reset(curl_easy_init());
  set_headers();
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, options_.target.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent().c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &HttpTransport::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  if (!options_.client_cert_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, options_.client_cert_file.c_str());
  if (!options_.client_key_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, options_.client_key_file.c_str());
}

size_t HttpTransport::on_body(char* data, size_t size, size_t count, void* self) {
  auto& transport = *static_cast<HttpTransport*>(self);
  if (transport.answer_.size() + size * count > transport.options_.max_response_bytes) {
    transport.answer_too_large_ = true;
    return 0;  // ends the transfer
  }
  transport.answer_.append(data, size * count);
  return size * count;
}

std::optional<CURLcode> HttpTransport::perform(const Patience& patience) {
  curl_multi_add_handle(multi_.get(), easy_.get());
  int running = 1;
  while (running > 0 && !patience.over()) {
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) break;
    if (running > 0) curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
  }
  std::optional<CURLcode> code;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  curl_multi_remove_handle(multi_.get(), easy_.get());
  return code;
}

OtlpReply HttpTransport::judge(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK && !answer_too_large_) {
    const std::string why = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    OtlpReply reply;
    reply.kind = Kind::kUnreachable;
    reply.timed_out = code == CURLE_OPERATION_TIMEDOUT;
    reply.reason = reply.timed_out ? "timeout" : "unreachable";
    reply.message = fmt::format("cannot reach the collector: {}", why);
    return reply;
  }
  const char* type = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_TYPE, &type);
  curl_header* retry_after = nullptr;
  const bool has_retry_after = curl_easy_header(easy_.get(), "Retry-After", 0, CURLH_HEADER, -1, &retry_after) == CURLHE_OK;
  OtlpReply reply = judge_http_answer(status, type == nullptr ? "" : type, has_retry_after ? retry_after->value : "", answer_);
  if (answer_too_large_ && reply.kind == Kind::kAccepted) {
    reply.kind = Kind::kRefused;
    reply.reason = "response_too_large";
    reply.message = fmt::format("the collector's answer is larger than {} bytes", options_.max_response_bytes);
  }
  return reply;
}

/// What the collector said about its error, short and on one line.
std::string error_text(std::string_view content_type, std::string_view body) {
  std::optional<RpcStatus> status;
  if (is_type(content_type, kProtobufType)) status = parse_status_protobuf(body);
  if (is_type(content_type, kJsonType)) status = parse_status_json(body);
  std::string text = status ? status->message : content_type.starts_with("text/plain") ? std::string(body) : std::string();
  text.resize(std::min(text.size(), kMessageBytes));
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20; }, ' ');
  return text;
}

OtlpReply judge_success(std::string_view content_type, std::string_view body) {
  OtlpReply reply;
  reply.kind = Kind::kAccepted;
  std::optional<PartialSuccess> partial;
  if (body.empty())
    partial.emplace();
  else if (is_type(content_type, kProtobufType))
    partial = parse_response_protobuf(body);
  else if (is_type(content_type, kJsonType))
    partial = parse_response_json(body);
  if (partial) {
    reply.rejected_spans = partial->rejected_spans;
    reply.warning = std::move(partial->message);
  } else {
    reply.warning = fmt::format("its answer is \"{}\" and not OTLP; is it a collector?", content_type);
  }
  return reply;
}

}  // namespace

OtlpReply judge_http_answer(long status, std::string_view content_type, std::string_view retry_after, std::string_view body) {
  if (status >= 200 && status < 300) return judge_success(content_type, body);
  OtlpReply reply;
  const bool retryable = status == 429 || (status >= 502 && status <= 504);
  reply.kind = retryable ? Kind::kRetry : Kind::kRefused;
  reply.reason = fmt::format("http_{}", status);
  const std::string text = error_text(content_type, body);
  reply.message = fmt::format("the collector answers HTTP {}{}{}", status, text.empty() ? "" : ": ", text);
  if (retryable) reply.retry_after = parse_retry_after(retry_after, std::time(nullptr));
  return reply;
}

base::Result<std::unique_ptr<OtlpTransport>> make_http_transport(const OtlpOptions& options) {
  for (const std::string* path : {&options.ca_file, &options.client_cert_file, &options.client_key_file}) {
    CLEW_TRY([[maybe_unused]] const std::string pem, read_pem(*path));
  }
  return std::make_unique<HttpTransport>(options);
}

}  // namespace clew::exporter
