// SPDX-License-Identifier: Apache-2.0
// OpenSSL's own functions for reading and writing, which SSL_read, SSL_write and their _ex forms come down to: found in the table that
// TLS_method() returns, by what they do, in stripped files, too.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/discovery/elf_file.h"

namespace clew::tls {

/// Where the one for reading has the result and still its arguments. One probe there does what else one at the beginning and one at the
/// return do, and no return address is replaced.
struct OpensslRead {
  /// Instructions that the kernel emulates, each behind a call of ssl_read_bytes whose result is in eax: what lies above 0 was a success.
  std::vector<uint64_t> addresses;
  /// Registers by their numbers in machine code (rbx 3, rbp 5, r12 to r15): never 0.
  uint8_t session = 0;
  uint8_t buffer = 0;
  uint8_t moved_at = 0;          // address of the number of bytes that were read
  std::optional<uint8_t> peeks;  // other than 0: what was read stays there, to be read once more
};

struct OpensslMethod {
  std::optional<OpensslRead> read;
  std::optional<uint64_t> write;  // address of the function (session, buffer, size, address of the number of bytes that were written)
};

/// Nothing: it is not OpenSSL (1.1 to 3), or its code is not such that this is certain. The functions are those that call
/// (session, 23 for application data, no type, buffer, size, no peek, pointer) and (session, 23, buffer, size, pointer); the registers are
/// those that the first keeps its arguments in, written once, on every way to the places. Looks at some 20,000 instructions at the most.
OpensslMethod find_openssl_method(const discovery::ElfFile& file);

}  // namespace clew::tls
