// SPDX-License-Identifier: Apache-2.0
// Programs that ask how many bytes a socket holds, ioctl(FIONREAD). On some kernels the answer is wrong for sockets that clew injects into
// (agent/capture/injection.cc): such programs are left alone there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/discovery/proc_fs.h"

namespace clew::runtime {

/// Is FIONREAD loaded by an instruction anywhere in that machine code? x86-64 has it as the last four bytes of a `mov`.
bool loads_fionread(std::string_view code);

/// Not thread-safe. Reads each file once, some milliseconds per 10 MiB.
class ReadableBytes {
 public:
  struct Answer {
    bool asks = true;
    size_t files = 0;  // stands for the list of what is mapped; 0: it could not be read
  };
  /// May the process ask? Its executable and libraries tell: an instruction that loads the number, a module that offers it to scripts, one
  /// by which scripts call any function. Of what asks for files only (the C and C++ libraries, libcrypto) nothing is read. True also where
  /// nothing can be read. `before`: what was found the last time, which holds as long as nothing else is mapped.
  Answer may_be_asked(const discovery::ProcFs& proc, uint32_t process_id, std::optional<Answer> before = {});
  /// Of one that begins, whose libraries are still to come: `libraries` are all that it needs; both are files to be opened from here.
  /// Empty: they are not known. True also of one that loads others by itself (dlopen).
  bool will_be_asked(const std::string& executable, const std::vector<std::string>& libraries);

 private:
  struct File {
    bool asks = true;
    bool loads = true;  // it loads libraries
  };
  File look_into(const std::string& file);

  std::unordered_map<std::string, File> files_;  // by device, inode and time of change
};

}  // namespace clew::runtime
