// SPDX-License-Identifier: Apache-2.0
// Is rustls in a program that keeps no symbols?
#pragma once

#include <string>

namespace clew::tls {

/// By the paths of its source files, which its messages of panic name. Reads at most 64 MiB of a program.
bool mentions_rustls(const std::string& path);

}  // namespace clew::tls
