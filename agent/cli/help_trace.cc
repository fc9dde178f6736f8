// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/help.h"

namespace clew::cli {

const std::string_view kHelpTrace = R"(clew trace SELECT... [OUTPUT...] [-- COMMAND ARG...]    follow chosen processes

  sudo clew trace --port 8080                whoever listens on 8080
  sudo clew trace --pid 1234                 a process and its later children
  sudo clew trace --exe nginx --duration 30s
  sudo clew trace --port 80 --file spans.json --count 1000
  sudo clew trace --port 80 --otlp http://localhost:4317
  sudo clew trace -- ./myserver --flag       run it, traced from its first byte

SELECT, any number; a process is traced if one matches
  --pid N             this process, its threads and its later children
  --exe GLOB          executable: nginx (its name), /usr/**/java (its path)
  --port N[-M],...    whoever listens on such a port
  --cgroup PATH       that cgroup and below
  --container ID      container id or a unique beginning of it
  -- COMMAND ARG...   run it (as the calling user under sudo); its children too
  --not-exe GLOB, --not-port N[-M],...
                      exclusions win
  Matching processes that start later are picked up, so are open sockets.
  A pattern that matches nothing yet is waited for.

OUTPUT, any number; default: --console on a terminal, else --console=line
  --console[=tree|line]   waterfall per trace, or a line per span
  --file FILE             OTLP/JSON lines; - is stdout
  --otlp URL              to a collector: http://host:4317
  --otlp-protocol NAME    grpc (default), http/protobuf or http/json (:4318);
                          one for all --otlp, or one for each in order
  --record FILE           kernel events as captured, for `clew replay`

When to stop (Ctrl-C always does)
  --duration TIME     30s, 5m, 1h30m, 500ms
  --count N           after N spans

Other options
  --inject            put a traceparent into HTTP/1 requests that traced
                      processes send, so that a trace goes on beyond this
                      machine; never beside a context of the program's own
  --inject=tcp-option the same beside the bytes, for another clew to read: no
                      byte of a request changes; lost where something between
                      the machines removes options it does not know
  --capture-query     keep query strings (they are redacted by default)
  -v, -vv, -q         say more, everything, only warnings and errors

Later versions: --namespace, --not-namespace, --prometheus.

"clew: ready" alone on a line of stderr: everything selected now is followed.
At the end a summary on stderr: spans, and losses by reason.

Environment (options win):
  OTEL_EXPORTER_OTLP_*       endpoint, protocol, headers, timeout, TLS
  OTEL_BSP_*                 batching and queue
  OTEL_TRACES_EXPORTER       otlp, console or none, when no OUTPUT is given
  OTEL_RESOURCE_ATTRIBUTES   k=v,k2=v2 on every span's resource
  OTEL_SERVICE_NAME          service.name of every span
  OTEL_PROPAGATORS           trace contexts to read, in this order; default all:
                             tracecontext,b3,b3multi,jaeger,xray,datadog
  OTEL_SDK_DISABLED          true: trace nothing, only run COMMAND
  OTEL_LOG_LEVEL             error, warn, info, debug

Exit status: 0 done (with COMMAND: its status), 1 failed (no such process),
  2 wrong usage, 3 this kernel or these privileges cannot do it: clew doctor
)";

const std::string_view kNothingSelected = R"(nothing is selected, so nothing would be traced. Say what to follow:

  sudo clew trace --port 8080              whoever listens on 8080
  sudo clew trace --pid 1234               a running process and its children
  sudo clew trace --exe nginx              every process of that program
  sudo clew trace -- ./myserver --flag     run it, traced from its first byte

All ways to select: clew trace --help)";

}  // namespace clew::cli
