// SPDX-License-Identifier: Apache-2.0
// What an application can ask the kernel about its socket: the answers must be those that it gets without clew.
#pragma once
#include <cstdint>
#include <string>

namespace torture {

// FIONREAD: comes to `n` within the time and never above it. Empty, or what is wrong.
extern const bool kAsks;  // does this client ask at all?
std::string readable_bytes_are(int fd, size_t n, unsigned limit_ms);

// When everything has been written and answered: nothing is unacknowledged, and the counters fit; what was added are whole lines, at most
// one for each request. `added`: how many bytes.
std::string counters_fit(int fd, uint64_t written, uint64_t read, uint64_t requests, uint64_t& added);

// Errno of TCP_ULP "tls" and of TLS_TX on a connected socket ("2 -": no such ULP, not tried further).
std::string kernel_tls(uint16_t port);

}  // namespace torture
