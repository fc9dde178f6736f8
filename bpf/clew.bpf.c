/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel side of clew: one object, made of one hook family per file. */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "events.h"
const volatile clew_u8 injecting = 0;	      /* requests are given trace contexts (bpf/propagation) … */
const volatile clew_u8 injecting_header = 1;  /* … in a header … */
const volatile clew_u8 carrying = 0;	      /* … or in a TCP option … */
const volatile clew_u8 carrying_tls = 0;      /* … of encrypted requests, too */
const volatile clew_u8 sampling_by_state = 0; /* injecting: what is kept may depend on a caller's tracestate */
#define HTTP1_GLOBAL __noinline
#define HTTP1_FIELDS injecting
#define HTTP1_STATES sampling_by_state
#include "http1/framing.h"
#include "http2/framing.h"
#include "http2/sent_requests.h"
#include "maps.bpf.h"
#include "socket/connection.bpf.h"
#include "socket/user_buffer.bpf.h"
#include "execution/execution.bpf.h"
#include "propagation/trace_context.bpf.h"
#include "propagation/working.bpf.h"
#include "propagation/injection.bpf.h"
#include "propagation/go_causes.bpf.h"
#include "socket/call.bpf.h"
#include "tls/session.bpf.h"
#include "tls/thread.bpf.h"
#include "tls/call.bpf.h"
#include "tls/option.bpf.h"
#include "socket/tries.bpf.h"
#include "socket/send_receive.bpf.c"
#include "socket/sys_exit.bpf.c"
#include "socket/state.bpf.c"
#include "socket/open_sockets.bpf.c"
#include "process/lifecycle.bpf.c"
#include "propagation/inject.bpf.c"
#include "execution/go_round_trip.bpf.c"
#include "execution/go_streams.bpf.c"
#include "execution/cpython.bpf.c"
#include "execution/tokio_spawn.bpf.c"
#include "execution/node_streams.bpf.c"
#include "tls/library.bpf.c"
#include "tls/go.bpf.h"
#include "tls/openssl.bpf.h"
#include "tls/moved.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
