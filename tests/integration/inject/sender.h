// SPDX-License-Identifier: Apache-2.0
// Writes a batch in the way that the plan names: every system call that sends, whole and in part, blocking or not, from one thread or
// several.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "cuts.h"
#include "report.h"
#include "zerocopy.h"

namespace torture {

class Sender {
 public:
  Sender(int fd, const Plan& plan, Report& report);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // All of [from, to) of the batch. False: error() says why.
  bool write(const Batch& batch, const std::vector<size_t>& cuts, size_t from, size_t to);
  const std::string& error() const { return error_; }
  uint64_t written() const { return written_; }
  Zerocopy& zerocopy() { return zerocopy_; }

 private:
  enum Way : uint8_t { kSend, kWrite, kVectors, kMessage, kMessages, kMoreFlag, kFile, kPipe, kPages };

  Way way(size_t piece);
  bool piece(int fd, std::string_view bytes, Way way, bool last);
  ssize_t call(int fd, std::string_view bytes, Way way, bool last);
  ssize_t vectors(int fd, std::string_view bytes, bool message);
  ssize_t messages(int fd, std::string_view bytes);
  bool from_file(int fd, std::string_view bytes, bool through_pipe);
  bool wait(int fd);
  bool retry(int fd);
  bool by_threads(const std::vector<std::string_view>& pieces);
  bool by_fork(const std::vector<std::string_view>& pieces);
  bool by_descriptors(const std::vector<std::string_view>& pieces);
  bool one(int fd, const std::vector<std::string_view>& pieces, size_t i);

  int fd_, epoll_ = -1;
  const Plan& plan_;
  Report& report_;
  Random random_;
  Zerocopy zerocopy_;
  std::string error_;
  uint64_t written_ = 0;
  unsigned pauses_ = 0;
};

}  // namespace torture
