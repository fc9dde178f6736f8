// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_options.h"

namespace clew::exporter {
base::Result<OtlpOptions> parse_otlp_options(const OtlpArguments&, const Environment&, std::vector<std::string>&) { return base::fail("--otlp: not built yet"); }
}  // namespace clew::exporter
