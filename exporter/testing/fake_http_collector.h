// SPDX-License-Identifier: Apache-2.0
// An HTTP server that plays a collector with faults: it answers by a script and remembers what it was sent.
#pragma once

#include <httplib.h>

#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace clew::exporter::testing {

struct HttpAnswer {
  int status = 200;
  std::string body = {};
  std::string type = "application/x-protobuf";
  httplib::Headers headers = {};
  std::chrono::milliseconds delay{0};
};

struct HttpRequestSeen {
  std::string path;
  std::string body;  // as it came, not unpacked
  httplib::Headers headers;
  int client_port = 0;
  std::chrono::steady_clock::time_point at;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

class FakeHttpCollector {
 public:
  /// `script`: the answers to the first requests; then 200 with an empty body. `server`: another kind of server, for TLS.
  explicit FakeHttpCollector(std::vector<HttpAnswer> script = {}, std::unique_ptr<httplib::Server> server = nullptr, int port = 0)
      : server_(server ? std::move(server) : std::make_unique<httplib::Server>()), script_(script.begin(), script.end()) {
    server_->set_keep_alive_max_count(10'000);
    server_->Post(".*", [this](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader) {
      std::string body;
      read_raw(request, reader, body);
      answer(request, std::move(body), response);
    });
    port_ = port == 0 ? server_->bind_to_any_port("127.0.0.1") : (server_->bind_to_port("127.0.0.1", port) ? port : -1);
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }
  ~FakeHttpCollector() {
    server_->stop();
    thread_.join();
  }
  FakeHttpCollector(const FakeHttpCollector&) = delete;
  FakeHttpCollector& operator=(const FakeHttpCollector&) = delete;

  int port() const { return port_; }
  std::vector<HttpRequestSeen> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  // httplib unpacks a gzip body by itself if it was built to; without a Content-Encoding it cannot.
  static void read_raw(const httplib::Request& request, const httplib::ContentReader& reader, std::string& body) {
    const_cast<httplib::Request&>(request).headers.erase("Content-Encoding-Seen");
    const auto encoding = request.headers.find("Content-Encoding");
    if (encoding != request.headers.end()) {
      auto& headers = const_cast<httplib::Request&>(request).headers;
      const std::string value = encoding->second;
      headers.erase("Content-Encoding");
      headers.emplace("Content-Encoding-Seen", value);
    }
    reader([&](const char* data, size_t size) {
      body.append(data, size);
      return true;
    });
  }

  void answer(const httplib::Request& request, std::string body, httplib::Response& response) {
    HttpAnswer next;
    {
      std::lock_guard lock(mutex_);
      seen_.push_back({request.path, std::move(body), request.headers, request.remote_port, std::chrono::steady_clock::now()});
      if (!script_.empty()) {
        next = script_.front();
        script_.pop_front();
      }
    }
    std::this_thread::sleep_for(next.delay);
    response.status = next.status;
    for (const auto& [name, value] : next.headers) response.set_header(name.c_str(), value);
    response.set_content(next.body, next.type.c_str());
  }

  std::unique_ptr<httplib::Server> server_;
  mutable std::mutex mutex_;
  std::deque<HttpAnswer> script_;
  std::vector<HttpRequestSeen> seen_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace clew::exporter::testing
