// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/help.h"

namespace clew::cli {

const std::string_view kHelpOverview = R"(clew follows every request through programs as they are: no SDK, no restart.

  sudo clew trace --port 8080             spans of whoever listens on 8080
  sudo clew trace --pid 1234              of a running process
  sudo clew trace -- ./myserver --flag    run it, traced from its first byte
  clew replay capture.pcap                of a recording; needs no privilege

Commands (each has its own --help):
  trace      follow chosen processes in the foreground
  replay     spans from a recording, .pcap or .pcapng
  doctor     what this kernel and machine allow, what is missing, how to mend it
  status     counters of every clew running here, every loss by reason
  explain    why a process gives (no) spans
  agent      trace as a service (not in this version)

Options of every command:
  -h, --help       this, or the help of that command
      --version    print the version
  -v, --verbose    say more; -vv: everything
  -q, --quiet      only warnings and errors

Results go to stdout, messages to stderr.
Exit status: 0 done, 1 failed, 2 wrong usage or configuration,
             3 this kernel or these privileges cannot do it.
)";

const std::string_view kHelpReplay = R"(clew replay FILE... [OUTPUT...]    spans from a recording or a packet capture

  clew replay capture.pcap                     a line per span, or a waterfall
  clew replay a.pcapng b.pcapng --file out.json
  tcpdump -w - port 80 | clew replay - --console=tree
  sudo clew trace --port 80 --record r.clew; clew replay r.clew

FILE is what `clew trace --record` wrote, a .pcap or a .pcapng; - is stdin. The
format is recognized by content. Needs no privilege; uses the same parsers as
trace. A packet capture knows no process: each exchange gives one SERVER span,
service.name is the server's address and port, times are those of the packets.

OUTPUT, any number; default: --console on a terminal, else --console=line
  --console[=tree|line]   waterfall per trace, or a line per span
  --file FILE             OTLP/JSON lines; - is stdout
  --otlp URL              to a collector: http://host:4317
  --otlp-protocol NAME    grpc (default), http/protobuf or http/json

Other options
  --count N               stop after N spans
  --capture-query         keep query strings (they are redacted by default)
  -v, -vv, -q             say more, everything, only warnings and errors

Environment: OTEL_EXPORTER_OTLP_*, OTEL_BSP_*, OTEL_TRACES_EXPORTER,
  OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, OTEL_LOG_LEVEL. Options win.

Exit status: 0 done, 1 a file could not be read to its end (the spans before
  that place are kept, the place and the reason are said), 2 wrong usage.
)";

const std::string_view kHelpAgent = R"(clew agent --config FILE    trace as a service (DaemonSet, systemd)

This version does not have it yet. Until then run in a unit of your own:

  clew trace --exe nginx --otlp http://localhost:4317

See: clew trace --help
)";

const std::string_view kHelpDoctor = R"(clew doctor [--json]    what this kernel and machine allow

  sudo clew doctor           everything that can be found out
  clew doctor                as far as an ordinary user can look
  sudo clew doctor --json    one JSON document, for scripts

Each line is one check: fine, a restriction (and what it costs), or missing (and
how to mend it). It looks at privileges, kernel, BTF, tracepoints and cgroups,
and loads tiny BPF programs of every kind that clew uses. Nothing is attached,
nothing is changed.

Exit status: 0 tracing is possible, 3 it is not (as this user, on this kernel).
)";

const std::string_view kHelpStatus = R"(clew status [--json]    counters of every clew running here

  sudo clew status           sources, spans by protocol and kind, every loss
  sudo clew status --json    {"clews": [...]}, one object for each

A clew run by root is seen by root only. None running is not an error.

Environment: XDG_RUNTIME_DIR (where a clew that is not root's keeps its socket).

Exit status: 0 done, 1 a clew is there but did not answer.
)";

const std::string_view kHelpExplain = R"(clew explain PID|EXE|PORT    why does this process give (no) spans

  sudo clew explain 1234               a process (or a port, if it is one)
  sudo clew explain :8080              whoever listens on port 8080
  sudo clew explain nginx              every process of that program
  sudo clew explain /usr/sbin/nginx

Says for each process whether it can be traced, which sockets it has, what is
spoken on them as far as a running clew has seen, and what stands in the way.

Exit status: 0 done, 1 no such process, 2 wrong usage, 3 not allowed to look.
)";

std::string_view help_text(Command command) {
  switch (command) {
    case Command::kTrace: return kHelpTrace;
    case Command::kReplay: return kHelpReplay;
    case Command::kAgent: return kHelpAgent;
    case Command::kDoctor: return kHelpDoctor;
    case Command::kStatus: return kHelpStatus;
    case Command::kExplain: return kHelpExplain;
    case Command::kHelp:
    case Command::kVersion: break;
  }
  return kHelpOverview;
}

}  // namespace clew::cli
