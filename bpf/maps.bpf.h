/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map and every setting of the kernel side. */
#ifndef CLEW_BPF_MAPS_H
#define CLEW_BPF_MAPS_H

/* Settings, fixed before load. */
const volatile clew_u32 ring_bytes = 8 << 20;	/* size of `events`, for the early wake-up */
const volatile clew_u8 watch_exec = 0;		/* report exec of every process: a rule by path, cgroup or container needs it */
const volatile clew_u8 preemptible = 0;		/* programs can be preempted, and are left out then: socket/tries.bpf.h */
const volatile clew_u8 by_address = 0;		/* sys_exit backend: connections lie in connections_by_address */
const volatile clew_u64 unix_secret = 0;	/* hides the addresses that Unix sockets are named by */
const volatile clew_u8 watch_cgroup = 0;	/* report moves between cgroups */
const volatile clew_u64 seed[2] = {};		/* of trace ids: correlation::Seed */
const volatile clew_u64 sampling_threshold = 0; /* of roots: sampling::Sampler */
const volatile clew_u8 sampling_by_parent = 1;	/* a caller's decision holds */
const volatile clew_u8 reads_forms = 0xff;	/* propagators: enum http1_form */
const volatile clew_u8 reads_traceparent = 2;	/* propagators: 0 not that one, 1 it is among them, 2 it is the first */

/* Changed by user space while running. */
clew_u32 selection_epoch;	/* raised when a process is no longer selected: cached verdicts are asked again */
clew_u32 consumer_asleep;	/* user space sleeps until it is woken, not until its next tick */
clew_u32 leave_new_programs;	/* what a process executes is looked at by user space before its sockets are touched */
clew_u32 releasing_askers;	/* iter__inject_open lets go of sockets: their processes are of clew_process.once now */
clew_u32 tls_probed;		/* a process has probes in its TLS libraries */
clew_u32 rustls_missed;		/* plaintext was sent on a socket that is not known: where sessions of rustls stand is not, either */
clew_u32 go_probed;		/* a Go process has a probe: callers have to be forgotten with their sockets */
clew_u64 selected_filter[1024]; /* bit (tgid & 0xffff): such a process may be in `processes`. Spares the others the look-up */
clew_u64 wanted_ports[1024];	/* bit port: who begins to listen there is selected */

/* tgid → why it is traced. Written by user space and at fork; read at the first call on each socket; deleted at exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct clew_process);
} processes SEC(".maps");

/* Whose exec selects a process before its first instruction. Written by user space before attaching; patterns are left to it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct clew_executable);
	__type(value, u8);
} wanted_executables SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct clew_executable_name);
	__type(value, u8);
} wanted_names SEC(".maps");

/* tgid → where its runtime's data lie. Written by user space and at fork; deleted at exec and at exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct clew_runtime_layout);
} runtimes SEC(".maps");

/* Who has asked for the request that is to be sent on a socket next. */
struct go_caller {
	u64 goid;
	u64 parent_goid;
	u32 tgid;
	u32 padding;
};

/*
 * Address of a TCP socket → its caller. Written by the probe before the request is sent, by whatever goroutine; read with each piece of its
 * head; deleted when its response arrives and with the socket. As many as connections_by_address: requests that wait for an answer.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct go_caller);
} go_callers SEC(".maps");

/* Address of a frame that waits for grpc-go's writer, in its process. */
struct go_frame {
	u64 address;
	u32 tgid;
	u32 padding;
};
struct go_asker {
	u64 goid;
	u64 origin; /* word 1 of go.bpf.h */
};

/* frame → the goroutine that wants to have it sent. Written by the probe where it is queued, deleted by the one where it is sent; a frame
 * that is never sent stays until its place is needed. As many as go_callers. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct go_frame);
	__type(value, struct go_asker);
} go_askers SEC(".maps");

/* socket → what is known of its connection. Made at the first call of a selected process, freed by the kernel with the socket. */
struct connection {
	u64 id;
	u64 inode; /* sys_exit backend: of the socket, to tell a reused address */
	u32 tgid;  /* whose calls need no look-up in `processes` … */
	u32 epoch; /* … while this equals selection_epoch */
	u8 announced;
	u8 from_start;
	u8 existing; /* was open before clew looked: its beginning is unknown (Unix sockets) */
	u8 ended;    /* bit 0, 1: that direction; 7: END_CLOSED or END_RESET was sent */
	u8 has_base;
	u8 accepted;	/* TCP: the other end has called connect() */
	u8 reset;	/* ended by a reset or an error, while bytes were still to be read */
	u8 runtime;	/* enum clew_runtime, of the process */
	u8 tls;		/* plaintext of a TLS session */
	u8 tls_version; /* 1 to 4: TLS 1.0 to 1.3 */
	u8 http2;	/* it speaks that: `frames` counts, not `direction` */
	u8 serves;	/* … and its process is known to serve requests */
	u8 tls_kinds;	/* enum clew_process_tls, of its process, as long as `epoch` holds */
	u8 begun[2];	/* has had a call in that direction */
	u8 handshake;	/* its first bytes were those of TLS */
	u8 tls_forked;	/* it was its process's parent's: 1: all of its TLS is seen, 2: not all */
	u8 tls_coming;	/* clew_process.tls_coming, as long as `epoch` holds */
	u8 padding[6];
	u64 began_ns;
	u64 tls_since_ns; /* clew_process.tls_since_ns, as long as `epoch` holds */
	u32 base[2];	  /* TCP: sequence number of byte 0 */
	u64 position[2];  /* bytes so far */
	u64 last_time_ns[2];
	u64 mmsg_vector[2]; /* sendmmsg, recvmmsg: the vector under way and its next entry */
	u32 mmsg_next[2];
	struct http1_connection http;
	struct http1_direction direction[2];
	struct http2_direction frames[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

/* The same where socket storage cannot be reached (sys_exit backend): address of the socket → state. Deleted at TCP_CLOSE. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* 16384 with that backend */
	__type(key, u64);
	__type(value, struct connection);
} connections_by_address SEC(".maps");

/* Kernel → user space. All of it in one order. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

/* A socket, for a session of TLS. */
struct tls_socket {
	u64 sk; /* its address, 0: none */
	u64 id; /* of its connection */
	u32 base[2];
	u8 from_start; /* all its plaintext was, or will be, seen */
	u8 blocking;   /* CLEW_BLOCKING or 0, of the call */
	u8 under_way;  /* bit of the direction that had moved before the call */
	u8 is_inside;  /* the call was made inside of one of the library */
	u8 accepted;   /* as in struct connection */
	u8 forked;     /* tls_forked, there */
	u8 padding[2];
};

/* thread → its call of a TLS library under way, and what it has received last. Freed by the kernel with the thread. */
struct tls_thread {
	u64 session; /* 0: no call is under way */
	u64 buffer;
	u64 size;
	u64 moved_at; /* address of the number of bytes that were moved */
	u64 stack;    /* its stack pointer */
	u32 flags;    /* enum clew_tls_flag */
	u32 is_walked;
	struct tls_socket inside;   /* of a socket call within that call */
	struct tls_socket received; /* of the latest receive, until the library reads … */
	u64 received_at;	    /* … and where its bytes were put */
	struct tls_socket latest;   /* of the latest receive, whatever it was, of a socket without session */
	u32 received_outside;	    /* CPython: … of any socket with TLS: it was in no context */
	u32 moved_since;	    /* CPython: it has moved encrypted bytes since it has read plaintext */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tls_thread);
} tls_threads SEC(".maps");

/*
 * A session of a TLS library → the stream of its plaintext. Made when its socket is known, deleted when it is freed and when the socket is
 * closed. As many as user space has connections.
 */
struct tls_key {
	u64 session;
	u32 tgid;
	u32 padding;
};
struct tls_session {
	struct connection c;
	u64 sk;
	u32 ahead; /* bytes that were looked at, but not taken yet: the next write begins with them */
	u8 blocking;
	u8 padding[3];
	u64 served[24]; /* struct served */
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tls_key);
	__type(value, struct tls_session);
} tls_sessions SEC(".maps");

/* Sessions with bytes before their socket was known; the oldest are forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tls_key);
	__type(value, u8);
} tls_missed SEC(".maps");

/* Address of a TCP socket → the session whose encrypted bytes it carries. Made and deleted with that one's entry. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct tls_key);
} tls_sockets SEC(".maps");

/*
 * The first bytes of what a process has received, mixed → from which socket. Written at a receive, read when the program hands the same
 * bytes to the library; the oldest are forgotten.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct tls_socket);
} tls_records SEC(".maps");

/* A memory BIO → the socket whose bytes were written to it. Deleted with its session; the oldest are forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tls_key);
	__type(value, struct tls_socket);
} tls_bios SEC(".maps");

/*
 * Address of a TCP socket of a Go process → what its first bytes have shown of it. There another thread may be the one that writes. Written
 * by the socket's first call, deleted with the socket.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries,
	       16384); /* there from the start: a program begins with some at once, and memory is to be had for a few at a time */
	__type(key, u64);
	__type(value, struct tls_socket);
} tls_go_sockets SEC(".maps");

#define RUSTLS_CHUNKS 16 /* pieces of plaintext that are handed over in one go: less than so many */

/*
 * thread of a program with rustls → what it has received last, and what it has handed to a session and not sent yet. Freed with the thread.
 */
struct rustls_thread {
	struct tls_socket received; /* of the latest receive; `sk` 0: none */
	u64 received_at;
	u64 received_size;
	u64 writer;  /* the session that plaintext was handed to, 0: all was sent */
	u64 writing; /* … is being handed to just now */
	u64 moved;   /* bytes that it has taken, … */
	u64 latest;  /* … the latest time, … */
	u32 before;  /* … how many pieces there were before that, … */
	u32 count;   /* … and are; RUSTLS_CHUNKS: not all are here */
	struct user_iovec chunks[2 * RUSTLS_CHUNKS];
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct rustls_thread);
} rustls_threads SEC(".maps");

/* A session of rustls → its socket when it was last seen to have one; the oldest are forgotten. It may have moved, or be another one by
 * now. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tls_key);
	__type(value, u64);
} rustls_sockets SEC(".maps");

#define SCRATCH_HEADROOM 96 /* a data event and an execution */
#define INSERTION_AT (CLEW_WINDOW + 2 * HTTP1_LINE + SCRATCH_HEADROOM)

enum scratch_user {
	SCRATCH_SEND = 0, /* programs that can interrupt one another have one each */
	SCRATCH_RECEIVE = 1,
	SCRATCH_STATE = 2,
	SCRATCH_PROCESS = 3,
	SCRATCH_PROBE = 4,
	SCRATCH_MESSAGE = 5,
	SCRATCH_DESTROY = 6,
	SCRATCH_OPTION = 7,
	SCRATCH_TLS = 8, /* as many as can interrupt one another */
	SCRATCH_TLS_USERS = 4,
	SCRATCH_TRIES = SCRATCH_TLS + SCRATCH_TLS_USERS, /* instead of the first two where programs can be preempted */
	SCRATCH_TRIES_USERS = CLEW_SCRATCH_TRIES,
	SCRATCH_USERS = SCRATCH_TRIES + SCRATCH_TRIES_USERS
};

#define GO_IDS_WORDS 20

/* What execution/go.bpf.h reads on its way: not on the stack, of which there are 512 bytes for all frames before 6.13. */
struct go_work {
	u64 g;
	struct { /* of runtime.g, its beginning: the same in all versions */
		u64 stack[2];
		u64 not_used[4]; /* two guards, _panic, _defer */
		u64 m;
	} start;
	u64 ids[GO_IDS_WORDS]; /* of runtime.g, from goid on */
	u64 generated;
	u64 p[3]; /* p, nextp, oldp of runtime.m */
	u64 cache[2];
};

/* The same for execution/node.bpf.h. */
struct node_work {
	u64 ids[4];
	u64 internal; /* uv_loop_t.internal_fields */
	u64 loop;     /* its turns */
	struct {      /* node, src/env.h, ImmediateInfo */
		u32 waiting;
		u32 referenced;
		u32 running; /* 1 while they run */
	} immediates;
	u32 hooks; /* there are so many */
	u8 ticks;  /* some wait, or run */
	u8 padding[7];
};

/* A descriptor's socket: what socket_of() finds. */
struct socket_of_call {
	u64 sk;
	u64 inode;
	u32 file_flags;
};

/* What execution/haproxy.bpf.h reads on its way. */
struct haproxy_work {
	u64 table; /* fdtab */
	u64 owner;
	struct { /* of struct connection */
		u8 obj_type;
		u8 not_read[39];
		u64 ctx;
		u64 owner;
		u64 not_read_either[6];
		u32 handle;
		u8 nor_this[12];
		u32 handle_later;
		u32 padding;
	} connection;
	u64 context[2]; /* of its multiplexer */
	u64 h1s;
	u64 h1c;
	u64 session;
	u64 origin;
	u64 mux;
	u32 handle; /* where a struct connection has its descriptor */
	u32 fd;
	u8 kind; /* enum obj_type of `origin` */
	u8 padding[7];
	struct socket_of_call socket; /* of `fd` */
};

/* Where the future of a task that writes requests keeps the channel for their answers, and what lies in that. In words. */
struct tokio_client {
	u16 channel; /* of the future: address of … */
	u16 own;     /* … the channel: waker of the task itself, … */
	u16 waiter;  /* … of the one that waits for the answer, … */
	u16 state;   /* … state */
	u32 votes;   /* searches in a row that have found it there: it counts from TOKIO_VOTES on */
	u32 padding;
};
struct tokio_client_key {
	u64 kind; /* address of the future's table of functions: one for each type */
	u32 tgid;
	u32 generation; /* grows when what was found seems to be wrong */
};

/* Kind of task → its channel. Written when one sends a request for the first time, read with each request; the oldest is looked for again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tokio_client_key);
	__type(value, struct tokio_client);
} tokio_clients SEC(".maps");

/* What execution/tokio.bpf.h reads of a task. */
struct tokio_task {
	struct {
		u64 state;
		u64 queue_next;
		u64 vtable;
	} header;
	struct {
		u64 trailer;
		u64 scheduler;
		u64 id;
	} offsets;
	u64 id;
};

/* … and on its way. */
struct tokio_work {
	u64 table; /* of tasks' wakers */
	u64 task;  /* the current one's id */
	u64 stack; /* stack pointer of the call */
	u64 distance;
	u64 own; /* header of the current task */
	u64 waiter;
	u64 waker[2]; /* table, header */
	u64 counts[2];
	u64 trailer[4];
	u64 future;
	u64 future_words;
	u64 word; /* read last */
	u64 boxed[2];
	struct tokio_task seen;	       /* the latest that was looked at */
	struct tokio_client client;    /* that is looked at */
	struct tokio_client candidate; /* found by the search */
	u32 found;
	u32 tgid;
	u64 future_word; /* of the search: the next */
	u64 inner_word;	 /* 0: none is looked at */
	u64 inner[64];	 /* of what may be a channel */
};

struct tcp_positions {
	u32 end[2]; /* sequence number behind the last byte that the application has moved, by direction */
	/* at the first call of a direction only: */
	u32 base[2];  /* sequence number of its first byte */
	u32 accepted; /* has a listener's backlog: did not call connect() */
};

#define LET_GO_BEHIND 2

/* Per CPU and per scratch_user: work space and counters. */
struct scratch {
	struct clew_counters counters;
	/* the call under way */
	struct http1_walk walk;
	u64 now_ns;
	u64 position; /* of its first byte in the direction */
	u64 sk;	      /* address of its socket */
	u64 address;
	s64 hole; /* bytes before it that no hook has shown */
	u32 readable;
	u32 walked;   /* as HTTP/1 */
	u32 injected; /* CLEW_INJECTED, CLEW_UPDATED or 0, and CLEW_LOST, of the event to come */
	u32 other_position;
	u32 blocking; /* CLEW_BLOCKING or 0 */
	u32 tgid;
	u32 tid;
	u32 lost; /* events, before this call */
	/* its buffer */
	u64 buffer;	   /* address of the bytes, or of the iovec array */
	u32 iov_count;	   /* 0: one buffer */
	u32 iov_copied;	   /* the array is `chunks` */
	u32 iov_index;	   /* cursor: the iovec that holds … */
	u32 iov_offset;	   /* … the byte of the call at this offset first */
	u32 gather_offset; /* of the call: first byte wanted, behind the last, how many are there */
	u32 gather_end;
	u32 gathered;
	u32 gather_failed;
	u32 shown;	 /* an insertion, in this call */
	u32 let_go;	 /* HTTP/2: 0, or the requests of this connection were let go: 1, LET_GO_BEHIND + offset of the latest */
	u32 held;	 /* HTTP/2: bytes behind INSERTION_AT, as they are on the wire, not handed over yet */
	u32 held_begins; /* … a frame does with the first */
	u64 held_position;
	u32 turn;		  /* of Node's loop, began with this call: its execution has been read */
	u32 reader;		  /* HTTP/2: the goroutine that makes this call has been read, for the requests in it */
	struct tcp_positions tcp; /* sys_exit: not on the stack */
	u8 local_client[64];	  /* struct local_client */
	u32 busy;		  /* SCRATCH_MESSAGE, _TLS, _TRIES: in use by a task that was interrupted */
	/* SCRATCH_MESSAGE: what is to be done with the message under way */
	u32 insertions;
	u32 insert_at[4]; /* offsets, ascending */
	u8 insert_text[4][72];
	u32 update_at;	/* offset of a parent id to be overwritten, or HTTP1_NO_CAPTURE */
	u32 update_end; /* of the end of its head */
	u8 update_text[16];
	u8 leave; /* 1 + enum clew_left_alone: nothing more is done on this connection */
	u8 padding1[7];
	struct clew_execution execution; /* of the call under way */
	u64 frames[112];		 /* of its thread's stack */
	struct go_work go;
	struct node_work node;
	struct haproxy_work haproxy;
	struct tokio_work tokio;
	struct connection fresh; /* sys_exit backend: a new entry before it is in the table */
	struct tls_session fresh_session;
	struct tls_socket sends; /* whose plaintext the socket call under way sends */
	struct user_iovec chunks[RUSTLS_CHUNKS];
	/* headroom for an event's header, then the window; behind it, at INSERTION_AT, the same for what was injected */
	u8 bytes[SCRATCH_HEADROOM + INSERTION_AT + CLEW_WINDOW + 72];
	union {
		struct clew_event_connection connection;
		struct clew_event_end end;
		struct clew_event_process process;
		struct clew_event_connect connect;
		struct clew_event_runtime runtime;
		struct clew_event_release release;
		struct clew_event_carried carried;
	} event;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_USERS);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct scratch *scratch_of(u32 user)
{
	return bpf_map_lookup_elem(&scratch, &user);
}

const volatile clew_u8 never = 0;

/*
 * Since 6.13 a tracing program's stack may be one of its CPU's, which is right as long as the kernel lets no second run of it begin on that
 * CPU. Where it does, for probes and by tail calls, two runs would write into one another's: the kernel dies. No program with a tail call
 * has such a stack, so these have one that is never done.
 */
#define OWN_STACK(ctx, program_array)                                                                                                      \
	do {                                                                                                                               \
		if (never)                                                                                                                 \
			bpf_tail_call_static(ctx, &(program_array), 0);                                                                    \
	} while (0)

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} no_probe SEC(".maps");

/* One of those that can be in use by a task that was interrupted; NULL: all are. */
static __always_inline struct scratch *take_scratch(u32 first, u32 count)
{
	struct scratch *s;

#pragma unroll
	for (u32 i = 0; i < count; i++) {
		s = scratch_of(first + i);
		if (s && !__sync_lock_test_and_set(&s->busy, 1))
			return s;
	}
	return NULL;
}

static __always_inline void give_back(struct scratch *s)
{
	__sync_lock_test_and_set(&s->busy, 0);
}

static __always_inline void lose(struct scratch *s, enum clew_loss why, u64 n)
{
	s->counters.losses[why] += n;
}

static __always_inline void leave_alone(struct scratch *s, enum clew_left_alone why)
{
	s->counters.left_alone[why & 15]++;
}

/* How to submit: mostly without waking the consumer, which comes by itself every few milliseconds. */
static __always_inline u64 wakeup_flags(struct scratch *s)
{
	if (consumer_asleep) {
		consumer_asleep = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	if ((s->counters.figures[CLEW_FIGURE_EVENTS] & 63) == 0 && bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > ring_bytes / 4)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* Counts events that did not fit; how many of them the latest one that did has told of. */
clew_u32 events_lost = 0;
clew_u32 events_lost_told = 0;

static __always_inline bool submit(struct scratch *s, void *event, u32 bytes, enum clew_loss why)
{
	if (bpf_ringbuf_output(&events, event, bytes, wakeup_flags(s))) {
		lose(s, why, 1);
		__sync_fetch_and_add(&events_lost, 1);
		return false;
	}
	s->counters.figures[CLEW_FIGURE_EVENTS]++;
	return true;
}

static __always_inline bool maybe_selected(u32 tgid)
{
	return selected_filter[(tgid >> 6) & 1023] >> (tgid & 63) & 1;
}

static __always_inline void mark_filter(u32 tgid)
{
	__sync_fetch_and_or(&selected_filter[(tgid >> 6) & 1023], 1ull << (tgid & 63));
}

#endif
