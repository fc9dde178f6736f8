// SPDX-License-Identifier: Apache-2.0
// A file for libpcap whose ftello() makes no system call, so that the place of every packet can be known.
#pragma once

#include <cstdio>
#include <string>

namespace clew::replay {

/// Opens for reading; null with errno set, as fopen(). stdio asks the kernel for the offset on each ftello(); this stream counts what it
/// has read instead, which also works on a pipe. It cannot seek.
FILE* open_counted(const std::string& path);

}  // namespace clew::replay
