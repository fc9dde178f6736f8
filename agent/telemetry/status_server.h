// SPDX-License-Identifier: Apache-2.0
// Answers whoever connects to this clew's socket with one JSON document and hangs up. One client at a time, one second for each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "agent/base/result.h"

namespace clew::telemetry {

class StatusServer {
 public:
  /// Makes the document. Called from the server's own thread, so it may only touch what threads may share (base::Counters).
  using Document = std::function<std::string()>;

  /// Listens on <directory>/<process_id>.sock (mode 0600); sockets of clews that died are removed first. An error harms no tracing: say it
  /// and go on.
  static base::Result<std::unique_ptr<StatusServer>> start(const std::string& directory, uint32_t process_id, Document document);

  /// Ends the thread (at once, also in the middle of an answer) and removes the socket.
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

  const std::string& path() const { return path_; }

 private:
  StatusServer(std::string path, int listener, int stop, Document document);
  void run() const;
  void answer(int client) const;

  std::string path_;
  int listener_;
  int stop_;  // an eventfd
  Document document_;
  std::thread thread_;
};

}  // namespace clew::telemetry
