// SPDX-License-Identifier: Apache-2.0
// Values of options from text. An error says what is wrong with the value and, where it can, what was meant; never which option.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/cli/options.h"

namespace clew::cli {

/// Decimal digits only: no sign, no spaces. `what` names the thing in the error: "a process id".
base::Result<uint64_t> parse_number(std::string_view text, uint64_t min, uint64_t max, std::string_view what);

/// "8080-8090,9000"
base::Result<std::vector<PortRange>> parse_ports(std::string_view text);

/// "30s", "5m", "500ms", "1h30m", "1.5s"; greater than zero, at most ten years.
base::Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// One of `names`: its index.
base::Result<size_t> parse_choice(std::string_view text, std::span<const std::string_view> names);

/// "a,b" → {"a", "b"}; an empty part is an error.
base::Result<std::vector<std::string_view>> parse_list(std::string_view text);

/// http:// or https:// and a host.
base::Result<std::string> parse_url(std::string_view text);

/// Only that it is not empty: what a pattern means, and whether it is one, is for agent/discovery to say.
base::Result<std::string> parse_exe_glob(std::string_view text);

/// "docker://3f2a…" → "3f2a…"
base::Result<std::string> parse_container(std::string_view text);

}  // namespace clew::cli
