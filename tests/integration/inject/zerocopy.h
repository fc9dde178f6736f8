// SPDX-License-Identifier: Apache-2.0
// MSG_ZEROCOPY: each call that sends something gets the next number, and the kernel says each number once when its pages are free again
// (Documentation/networking/msg_zerocopy.rst). A program that matches numbers to buffers breaks if there are more, or fewer.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace torture {

class Zerocopy {
 public:
  bool enable(int fd);
  bool enabled() const { return enabled_; }
  // Stays until the end of the connection, as the kernel reads it when it likes.
  std::string_view keep(std::string_view bytes);
  void called() { ++calls_; }
  // Takes what the kernel has to say now.
  void reap(int fd);
  // Waits for the rest; then every number must have been said once. Empty, or what is wrong.
  std::string finish(int fd);

  uint32_t calls() const { return calls_; }
  uint32_t ids() const { return ids_; }

 private:
  void note(uint32_t low, uint32_t high);

  bool enabled_ = false;
  uint32_t calls_ = 0, ids_ = 0;
  std::vector<bool> seen_;
  std::string wrong_;
  std::vector<std::unique_ptr<std::string>> kept_;
};

}  // namespace torture
