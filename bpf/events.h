/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel side tells user space: the one file that both include. Fixed width, explicit padding, numbers never reused. */
#ifndef CLEW_BPF_EVENTS_H
#define CLEW_BPF_EVENTS_H

#ifdef __bpf__
typedef __u8 clew_u8;
typedef __u16 clew_u16;
typedef __u32 clew_u32;
typedef __u64 clew_u64;
#else
#include <stdint.h>
typedef uint8_t clew_u8;
typedef uint16_t clew_u16;
typedef uint32_t clew_u32;
typedef uint64_t clew_u64;
#endif

/* Bytes of one read window, and so of one data event. */
#define CLEW_WINDOW 1024

enum clew_event_type {
	CLEW_EVENT_DATA = 1,	   /* struct clew_event_data, then `length` bytes */
	CLEW_EVENT_CONNECTION = 2, /* struct clew_event_connection; before the first data event of a connection */
	CLEW_EVENT_END = 3,	   /* struct clew_event_end */
	CLEW_EVENT_PROCESS = 4,	   /* struct clew_event_process */
	CLEW_EVENT_CONNECT = 5,	   /* struct clew_event_connect; before the connection's own, which comes with its first bytes */
	CLEW_EVENT_RUNTIME = 6,	   /* struct clew_event_runtime */
	CLEW_EVENT_RELEASE = 7,	   /* struct clew_event_release */
	CLEW_EVENT_CARRIED = 8,	   /* struct clew_event_carried; before the request's bytes */
};

enum clew_direction {
	CLEW_INGRESS = 0,
	CLEW_EGRESS = 1,
};
/* With the direction of a data event: the call would have waited for bytes, as only a thread does that has nothing else to do. */
#define CLEW_BLOCKING 0x80

/* With it, too: a struct clew_execution stands between the event and its bytes. */
#define CLEW_EXECUTION 0x40

/* With it, too: clew has added the trace context of the request whose head ends here … */
#define CLEW_INJECTED 0x20
/* … or has put the id of the request's own span where it passes on another's (the bytes shown are those of before). */
#define CLEW_UPDATED 0x10

/* A frame of HTTP/2 begins with the first byte. */
#define CLEW_BEGINS 0x08

/* Events before this one did not fit into the ring buffer, whosever they were. */
#define CLEW_LOST 0x04

/* struct clew_event_data: one piece of a message head or of a body's framing, or (length 0) only the news of a position. */
struct clew_event_data {
	clew_u8 type;
	clew_u8 direction; /* enum clew_direction, | any of the flags above, but one of CLEW_INJECTED and CLEW_UPDATED at most */
	clew_u16 length;   /* bytes that follow, at most CLEW_WINDOW */
	clew_u32 tgid;
	clew_u64 time_ns; /* CLOCK_MONOTONIC */
	clew_u64 connection;
	clew_u64 position;    /* of the first byte that follows, from the connection's first byte in this direction */
	clew_u64 advanced_to; /* >= position + length: up to here nothing else of this call will be shown */
	clew_u32 tid;
	clew_u32 other_position; /* low 32 bits: where the other direction stood; what lies behind it happened later */
};

/* Runtimes that run several requests on one thread and show which one it is. */
enum clew_runtime {
	CLEW_RUNTIME_NONE = 0,
	CLEW_RUNTIME_GO = 1,
	CLEW_RUNTIME_NODE = 2,
	CLEW_RUNTIME_CPYTHON = 3,
	CLEW_RUNTIME_JVM = 4,
	CLEW_RUNTIME_HAPROXY = 5, /* a proxy, not a language: its streams */
	CLEW_RUNTIME_TOKIO = 6,
	CLEW_RUNTIME_GO_IDLE = 7, /* sends no requests: its goroutines are not read, but its HTTP/2 is followed for injection */
	CLEW_RUNTIME_LOOP = 8,	  /* a proxy's loop: its turns, as far as the kernel sees them */
};

/* clew_event_runtime.what */
enum clew_cpython_note {
	CLEW_CPYTHON_COPIED = 1,	 /* a context was made from the current one */
	CLEW_CPYTHON_COPIED_AT_ONCE = 2, /* … and the thread has moved no bytes since it has read some within TLS */
};

enum clew_go_note {
	CLEW_GO_SERVES = 2,	    /* the goroutine begins to serve a stream; its parent is that of who has read it, or has read it */
	CLEW_GO_SERVES_READERS = 3, /* the same; its parent is who has read the stream */
	CLEW_GO_ASKS = 4,	    /* it wants a stream, which the writer, or a goroutine that it starts, sends next */
};

/* With Node.js's own, 1 and 2 (bpf/execution/node.bpf.h). */
enum clew_node_note {
	CLEW_NODE_FRAME = 3,	/* a frame of HTTP/2 is handed on to JavaScript; stream 0: of nobody */
	CLEW_NODE_ASKS = 4,	/* a request is given to a session … */
	CLEW_NODE_ASKED = 5,	/* … and is this stream */
	CLEW_NODE_RESPONDS = 6, /* so is the response of a stream */
};

/* What was read of the runtime in the moment of the call. */
struct clew_execution {
	clew_u32 runtime; /* enum clew_runtime */
	clew_u32 padding;
	clew_u64 words[3]; /* the runtime's: see bpf/execution */
};

/* Something happened inside a runtime, told by a probe. */
struct clew_event_runtime {
	clew_u8 type;
	clew_u8 what; /* the runtime's */
	clew_u8 padding[2];
	clew_u32 tgid;
	clew_u64 time_ns;
	clew_u32 tid;
	clew_u32 padding2;
	struct clew_execution execution;
};

/* Value of the map `runtimes`: where its data lie in that process. */
struct clew_runtime_layout {
	clew_u64 values[17]; /* the runtime's: see bpf/execution; user space fills the first 8 at the most */
};

#define CLEW_FAMILY_UNIX 1
#define CLEW_FAMILY_IPV4 4
#define CLEW_FAMILY_IPV6 6

enum clew_role {
	CLEW_ROLE_UNKNOWN = 0,
	CLEW_ROLE_CLIENT = 1,
	CLEW_ROLE_SERVER = 2,
};

#define CLEW_PATH_SIZE 108

/* Of the id of a connection that is the plaintext of a TLS session; the rest of it is the id of the socket's own. */
#define CLEW_TLS_CONNECTION (1ull << 63)

enum clew_connection_flag {
	CLEW_CONNECTION_FROM_START = 1,
	CLEW_CONNECTION_TLS = 2,	   /* plaintext of a TLS session */
	CLEW_CONNECTION_ACCEPTED = 4,	   /* TCP: the other end has called connect() */
	CLEW_CONNECTION_VERSION_SHIFT = 4, /* its version: 1 to 4 are TLS 1.0 to 1.3, 0: not known */
};

struct clew_event_connection {
	clew_u8 type;
	clew_u8 family; /* CLEW_FAMILY_* */
	clew_u8 role;	/* enum clew_role */
	clew_u8 flags;	/* enum clew_connection_flag */
	clew_u32 tgid;
	clew_u64 time_ns;
	clew_u64 connection;
	clew_u16 local_port; /* host byte order */
	clew_u16 peer_port;
	clew_u16 local_path_length; /* Unix sockets: bytes of the name, abstract names begin with NUL */
	clew_u16 peer_path_length;
	/* By direction, TCP: sequence number of byte 0; TLS: that of the socket's, if seen from the start. Unix sockets: a number for the
	 * socket that sends there, 0 where byte 0 was not seen. Both ends know both: together they name the connection. */
	clew_u32 base[2];
	clew_u8 local_address[16];
	clew_u8 peer_address[16];
	clew_u8 local_path[CLEW_PATH_SIZE];
	clew_u8 peer_path[CLEW_PATH_SIZE];
};

/* A thread calls connect(): what it sends there later belongs to what it is doing now. */
struct clew_event_connect {
	clew_u8 type;
	clew_u8 padding1[3];
	clew_u32 tgid;
	clew_u64 time_ns;
	clew_u64 connection;
	clew_u32 tid;
	clew_u32 turn; /* CLEW_RUNTIME_LOOP: number of the turn; 0: not known */
};

/* Nothing more will be injected on a socket: user space takes it out of the map of sockets. */
struct clew_event_release {
	clew_u8 type;
	clew_u8 padding[7];
	clew_u64 connection;
};

/* A request's trace context in a TCP option: sent with it, or come with it. */
struct clew_event_carried {
	clew_u8 type;
	clew_u8 direction;
	clew_u8 sampled;
	clew_u8 is_tls;	   /* plaintext is counted, and only the low half is there */
	clew_u32 sequence; /* number of the request's first byte */
	clew_u64 connection;
	clew_u64 time_ns;
	clew_u8 trace_id[16];
	clew_u8 span_id[8];
};

enum clew_end_kind {
	CLEW_END_DIRECTION = 1, /* `direction` carries no more bytes */
	CLEW_END_CLOSED = 2,
	CLEW_END_RESET = 3,
};

struct clew_event_end {
	clew_u8 type;
	clew_u8 kind;
	clew_u8 direction;
	clew_u8 padding[1];
	clew_u32 tgid;
	clew_u64 time_ns;
	clew_u64 connection;
	clew_u64 position[2]; /* bytes so far, by direction; where only one ends, a call of the other may be under way, and not shown yet */
	clew_u64 last_time_ns[2]; /* of the last byte, by direction; 0: none */
};

enum clew_process_change {
	CLEW_PROCESS_FORK = 1,
	CLEW_PROCESS_EXEC = 2,
	CLEW_PROCESS_EXIT = 3,
	CLEW_PROCESS_LISTEN = 4,
	CLEW_PROCESS_CGROUP = 5,
	CLEW_PROCESS_TLS = 6,	  /* it speaks TLS; again at growing intervals, for its libraries may come later */
	CLEW_PROCESS_RUNTIME = 7, /* by user space: its runtime begins or ceases to be read under way */
};

struct clew_event_process {
	clew_u8 type;
	clew_u8 change; /* enum clew_process_change */
	clew_u16 port;	/* LISTEN */
	clew_u32 tgid;
	clew_u64 time_ns;
	clew_u32 parent_tgid; /* FORK */
	clew_u8 selected;     /* by inheritance or by port, decided already */
	clew_u8 padding[3];
	char comm[16];
};

/* Why something that should have become an event did not. Index of the per-CPU counters in `losses`. */
enum clew_loss {
	CLEW_LOSS_RING_FULL = 0,       /* events that did not fit into the ring buffer */
	CLEW_LOSS_RING_FULL_BYTES = 1, /* and their bytes */
	CLEW_LOSS_STORAGE = 2,	       /* socket storage could not be had: the connection is not traced */
	CLEW_LOSS_PROCESS_MAP = 3,     /* a process could not be entered: map full */
	CLEW_LOSS_READ_USER = 4,       /* the application's buffer could not be read */
	CLEW_LOSS_UNREADABLE = 5,      /* calls that carry no readable buffer (sendfile, splice, io_uring) outside a known body */
	CLEW_LOSS_COMPAT = 6,	       /* calls of 32-bit processes: registers not understood */
	CLEW_LOSS_STEPS = 7,	       /* a call with more lines or chunks than the bound: rest skipped */
	CLEW_LOSS_HOLE = 8,	       /* bytes passed that no hook showed (splice from a socket, zero-copy receive) */
	CLEW_LOSS_CONNECTION_MAP = 9,  /* sys_exit backend: the table of connections is full */
	CLEW_LOSS_PROCESS_EVENT = 10,  /* fork/exec/exit events that did not fit into the ring buffer */
	CLEW_LOSS_GO_CALLERS = 11,     /* who makes a request could not be kept until it is sent: map full */
	CLEW_LOSS_TLS_SOCKET = 12,     /* sessions with bytes before it was known which socket is theirs */
	CLEW_LOSS_TLS_SESSIONS = 13,   /* TLS sessions that could not be entered: map full */
	CLEW_LOSS_TLS_BUSY = 14,       /* calls of TLS libraries while the CPU's work spaces were all in use */
	CLEW_LOSS_TLS_LATE = 15,       /* connections whose TLS had begun before the process's library was found: what they carried first */
	CLEW_LOSS_RING_FULL_STREAMS = 16, /* header blocks of HTTP/2 in events that did not fit: each may be a request or a response */
	CLEW_LOSS_MAX
};

/* Figures that are not losses. Index of the per-CPU counters in `figures`. */
enum clew_figure {
	CLEW_FIGURE_EVENTS = 0,	     /* events written to the ring buffer */
	CLEW_FIGURE_CALLS = 1,	     /* socket calls of selected processes looked at */
	CLEW_FIGURE_CONNECTIONS = 2, /* connections given a state */
	CLEW_FIGURE_FOREIGN = 3,     /* calls whose bytes are no head of a known protocol (not shown to user space) */
	CLEW_FIGURE_PROBES = 4,	     /* hits of probes inside of runtimes */
	CLEW_FIGURE_INJECTED = 5,    /* requests that were given a traceparent */
	CLEW_FIGURE_UPDATED = 6,     /* requests whose forwarded traceparent was given clew's own parent id */
	CLEW_FIGURE_CARRIED_OUT = 7, /* requests whose trace context was to go in a TCP option */
	CLEW_FIGURE_CARRIED_IN = 8,  /* requests whose trace context came in one */
	CLEW_FIGURE_TLS_CALLS = 9,   /* calls of TLS libraries that moved plaintext */
	CLEW_FIGURE_MAX
};

/* Why a request that might have been given a trace context was not. Index of the per-CPU counters in `left_alone`. */
enum clew_left_alone {
	CLEW_ALONE_OWN_CONTEXT = 0, /* it carries one already */
	CLEW_ALONE_NO_CONTEXT = 1,  /* which request it is made for is not known in the kernel */
	CLEW_ALONE_SEND_BUFFER = 2, /* the socket's send buffer is nearly full */
	CLEW_ALONE_HEAD_SPLIT = 3,  /* the end of its head lies in two calls */
	CLEW_ALONE_FRAMING = 4,	    /* two parsers may disagree about where it ends; from here on the connection is left alone */
	CLEW_ALONE_UPGRADE = 5,	    /* CONNECT, or what follows an upgrade */
	CLEW_ALONE_PARTIAL = 6,	    /* a call was taken in part, where only a guess would tell what comes next; the connection, too */
	CLEW_ALONE_ZERO_COPY = 7,   /* the socket uses MSG_ZEROCOPY */
	CLEW_ALONE_MID_STREAM = 8,  /* the connection was open already, and no whole exchange has been seen on it yet */
	CLEW_ALONE_PIPELINED = 9,   /* more requests in one call than there is room for */
	CLEW_ALONE_MEMORY = 10,	    /* the kernel had no memory for it */
	CLEW_ALONE_BUSY = 11,	    /* another call on that CPU was interrupted in its work */
	CLEW_ALONE_SOCKET = 12,	    /* a socket (not a request): the kernel lets it into no map for this, or the map is full */
	CLEW_ALONE_LET_GO = 13,	    /* of a connection that was let go, or not taken in at all (clew_process.once, CLEW_RULE_LEAVE) */
	CLEW_ALONE_TOO_LONG = 14,   /* its list of fields might be longer than the peer takes */
	CLEW_ALONE_MAX
};

/* How a process's requests are told apart in the kernel, so that what is injected agrees with what user space will find. */
enum clew_rule {
	CLEW_RULE_THREADS = 0, /* a thread or goroutine that waits for a request serves it */
	CLEW_RULE_LOOP = 1,    /* what a thread sends in the turn in which it has read something */
	CLEW_RULE_UNKNOWN = 2, /* not in the kernel */
	CLEW_RULE_LEAVE = 3,   /* its sockets must not be touched */
	CLEW_RULE_POOLS = 4,   /* as threads, once CLEW_OWN_ANSWERS_MIN requests were answered by who had read them */
	CLEW_RULE_AWAITED = 5, /* the program that it is about to execute may be touched at once, though `leave_new_programs`: as UNKNOWN */
};

#define CLEW_OWN_ANSWERS_MIN 16

/* The last values in the map `scratch`; where tracepoints cannot be preempted they are not there. Four tries in each of two directions can
 * be under way on a CPU, so one is always free. */
#define CLEW_SCRATCH_TRIES 8

/* The first bytes of each CPU's value in the map `scratch`. */
struct clew_counters {
	clew_u64 losses[CLEW_LOSS_MAX]; /* by enum clew_loss */
	clew_u64 figures[16];		/* by enum clew_figure */
	clew_u64 left_alone[16];	/* by enum clew_left_alone */
};

/* What the kernel has seen of a process that serves requests, for its rule. */
enum clew_serving {
	CLEW_SERVES = 1,   /* it has read a request … */
	CLEW_WAITS = 2,	   /* … in a thread that waited for it */
	CLEW_HANDS_ON = 4, /* one was answered by another thread, or process, than the one that had read it */
};

/* Value of the map `processes`. */
enum clew_selected_by {
	CLEW_SELECTED_TREE = 1, /* --pid and COMMAND: children too, whatever they execute */
	CLEW_SELECTED_RULE = 2, /* path, port, cgroup, container: asked again at exec */
};
struct clew_process {
	clew_u32 selected_by;
	clew_u32 runtime;      /* enum clew_runtime; not none: has an entry in `runtimes` */
	clew_u32 rule;	       /* enum clew_rule */
	clew_u32 serves;       /* enum clew_serving, written by the kernel */
	clew_u32 once;	       /* its sockets are let go before the first answer arrives (agent/runtime/readable_bytes.h) */
	clew_u32 own_answers;  /* CLEW_RULE_POOLS, written by the kernel */
	clew_u32 tls_told;     /* how often user space was told that it speaks TLS, written by the kernel … */
	clew_u32 tls;	       /* enum clew_process_tls */
	clew_u64 tls_told_ns;  /* … and when */
	clew_u64 tls_since_ns; /* its TLS libraries have probes since then, 0: they have none */
	clew_u32 tls_shared;   /* bit n: the probes count that the file of that number has for all processes */
	clew_u32 tls_coming;   /* it was forked by one whose TLS libraries have probes, and will have its own */
};

/* Of the probes that tls_since_ns tells of. */
enum clew_process_tls {
	CLEW_TLS_GO = 1,	/* they are in Go's crypto/tls */
	CLEW_TLS_AWAITED = 2,	/* they are those of the program that it is about to execute */
	CLEW_TLS_MOVES = 4,	/* it moves the encrypted bytes itself: CLEW_TLS_BY_BIO where the cookie does not say */
	CLEW_TLS_IN_RUSTLS = 8, /* they are in rustls */
};

/* What a probe's cookie says of a TLS library's function. */
enum clew_tls_flag {
	CLEW_TLS_EGRESS = 1,
	CLEW_TLS_BY_POINTER = 2, /* how much was moved stands where the fourth argument points, if the result is above 0; … */
	CLEW_TLS_LONG = 4,	 /* … else it is the result, of 64 bits instead of 32 */
	CLEW_TLS_OPENSSL = 8,	 /* the session has its version where OpenSSL has it */
	CLEW_TLS_CORKS = 16,	 /* what it takes without a socket call of its own it is given once more */
	CLEW_TLS_BY_BIO = 32,	 /* the program moves the encrypted bytes by BIO_write, which has a probe */
	CLEW_TLS_NO_DATA = 128,	 /* a handshake: moves no plaintext, but shows which socket is the session's */
	CLEW_TLS_RUSTLS = 64,	 /* (session, address of the plaintext's description), and all of it is taken: bpf/tls/rustls.bpf.h */
};
/* Above these the number of the file whose probes are for all processes: clew_process.tls_shared. 0: they are of one process. */
#define CLEW_TLS_FILE_SHIFT 8
/*
 * Above that, 4 bits each: the registers, by their numbers in machine code, that hold what a call was given where the probe stands behind
 * it. 0: it does not, or there is no such register.
 */
#define CLEW_TLS_SESSION_SHIFT 16
#define CLEW_TLS_BUFFER_SHIFT 20
#define CLEW_TLS_MOVED_SHIFT 24 /* address of how much was moved */
#define CLEW_TLS_PEEK_SHIFT 28	/* other than 0: the bytes stay, to be read again */

/* Keys of the maps of executables that select a process at its exec. */
struct clew_executable {
	clew_u64 inode;
	clew_u32 device; /* major << 20 | minor */
	clew_u32 padding;
};
struct clew_executable_name {
	char name[64]; /* of the file, without its folder, and zeros */
};

/* What the iterator over open sockets writes, once per socket. */
struct clew_open_socket {
	clew_u32 tgid;
	clew_u16 port; /* host byte order */
	clew_u8 listening;
	clew_u8 family; /* AF_* */
};

#if defined(__cplusplus) || defined(__bpf__)
#ifdef __cplusplus
#define CLEW_STATIC_ASSERT static_assert
#else
#define CLEW_STATIC_ASSERT _Static_assert
#endif
CLEW_STATIC_ASSERT(sizeof(struct clew_event_data) == 48, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_connection) == 288, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_connect) == 32, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_execution) == 32, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_runtime) == 56, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_release) == 16, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_carried) == 48, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_end) == 56, "layout");
CLEW_STATIC_ASSERT(sizeof(struct clew_event_process) == 40, "layout");
#endif

#endif
