// SPDX-License-Identifier: Apache-2.0
// What every command that makes spans shares: protocols, ids, connections, and the way to the outputs.
#pragma once

#include <memory>

#include "agent/base/counters.h"
#include "agent/cli/environment.h"
#include "agent/commands/outputs.h"
#include "agent/connection/connections.h"
#include "agent/correlation/correlator.h"
#include "agent/correlation/ids.h"
#include "agent/exchange/span_builder.h"
#include "protocols/registry.h"

namespace clew::commands {

/// How trace contexts are read, which traces are kept, and how many spans are made.
struct TraceSettings {
  connection::Connections::Propagators propagators;
  sampling::SamplerSettings sampler;
  uint64_t spans_max = UINT64_MAX;
};

class Pipeline {
 public:
  Pipeline(const correlation::Seed& seed, bool capture_query, const cli::EnvironmentLookup& environment,
           connection::Connections::ResourceOf resource_of, const TraceSettings& traces, base::Counters& counters)
      : protocols_(protocols::make_protocols()),
        ids_(seed),
        correlator_(ids_, counters, {.sampler = traces.sampler}),
        builder_(capture_query),
        connections_(protocols_, builder_, std::move(resource_of), correlator_, traces.propagators, counters,
                     {.spans_max = traces.spans_max}) {
    if (!environment) return;
    for (const auto& protocol : protocols_) protocol->configure(environment);
  }

  connection::Connections& connections() { return connections_; }
  /// Hands the finished spans on. Returns how many.
  size_t flush(Outputs& outputs) {
    std::vector<exporter::Span> spans = connections_.take_spans();
    const size_t n = spans.size();
    outputs.submit(std::move(spans));
    return n;
  }

 private:
  protocols::ProtocolList protocols_;
  correlation::Ids ids_;
  correlation::Correlator correlator_;
  exchange::SpanBuilder builder_;
  connection::Connections connections_;
};

}  // namespace clew::commands
