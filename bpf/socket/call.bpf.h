/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One socket call of a selected process: moves the connection's positions, walks its bytes, hands over what user space needs. */
#ifndef CLEW_BPF_CALL_H
#define CLEW_BPF_CALL_H

struct call {
	struct scratch *s;
	struct connection *c; /* NULL in sk_msg */
	struct sock *sk;
	union {
		struct injection *i;	   /* of a client's socket, or NULL */
		struct streams *streams;   /* the same in walk_frames() */
		struct received *received; /* in walk_received() */
	};
};
/* In sk_msg, where `c` is NULL. */
struct message_call {
	struct call call;
	struct sk_msg_md *message;
};

#include "propagation/message.bpf.h"
#include "propagation/streams.bpf.h"

static __always_inline struct http1_view view_of(struct call *call)
{
	struct scratch *s = call->s;
	struct connection *c = call->c;
	u8 d = s->walk.direction & 1;

	return (struct http1_view){
		.w = &s->walk,
		.connection = &c->http,
		.d = d ? &c->direction[1] : &c->direction[0],
		.other = d ? &c->direction[0] : &c->direction[1],
		.data = s->bytes + SCRATCH_HEADROOM,
		.environment = call,
	};
}

static __always_inline int http1_load(struct http1_view *v, u32 offset)
{
	struct call *call = v->environment;
	struct scratch *s = call->s;
	int n;

	if (injecting && !v->is_plain && !call->c) {
		n = read_message((struct message_call *)call, offset);
		if (n < 0) {
			s->leave = 1 + CLEW_ALONE_MEMORY; /* what follows would be taken for the start of a message */
			return -1;
		}
	} else {
		n = read_buffer(s, offset, s->walk.total);
		if (n < 0) {
			lose(s, CLEW_LOSS_READ_USER, 1);
			return -1;
		}
	}
	s->walk.window = offset;
	s->walk.window_end = offset + (u32)n;
	return 0;
}

/* Hands over `length` bytes that lie at `at` of s->bytes, behind the headroom. */
static __noinline int emit_bytes(struct call *call, u32 at, u32 length, u64 position, u64 advanced_to)
{
	struct scratch *s = call->s;
	bool executes = call->c->runtime != 0 && read_execution(s, call->c);
	u32 size = sizeof(struct clew_event_data) + length;
	struct clew_event_data *e;
	u32 streams;
	u8 *start;

	if (at > INSERTION_AT || length > CLEW_WINDOW)
		return -1;
	start = s->bytes + SCRATCH_HEADROOM + at - sizeof(struct clew_event_data);
	if (executes && call->c->runtime == CLEW_RUNTIME_GO)
		go_caller(&s->execution, call->c, call->sk, s->walk.direction);
	if (executes && call->c->runtime == CLEW_RUNTIME_HAPROXY)
		haproxy_sends(s, call->c);
	if (!call->c->announced) {
		int announced = announce(s, call->c, call->sk, s->now_ns);

		asm volatile("" : : "r"(announced)); /* as in http1_emit */
	}
	if (executes) {
		__builtin_memcpy(start + sizeof(*e) - sizeof(s->execution), &s->execution, sizeof(s->execution));
		start -= sizeof(s->execution);
		size += sizeof(s->execution);
	}
	e = (void *)start;
	e->type = CLEW_EVENT_DATA;
	e->direction = s->walk.direction | (u8)s->blocking | (u8)s->injected | (executes ? CLEW_EXECUTION : 0) |
		       (s->walk.begins ? CLEW_BEGINS : 0);
	e->length = (u16)length;
	e->tgid = s->tgid;
	e->time_ns = s->now_ns;
	e->connection = call->c->id;
	e->position = position;
	e->advanced_to = advanced_to;
	e->tid = s->tid;
	e->other_position = s->other_position;
	s->injected = 0;
	asm volatile("" : "+r"(size)); /* so that the bound is there where the verifier looks for it */
	if (size > sizeof(*e) + sizeof(s->execution) + CLEW_WINDOW)
		return -1;
	streams = s->walk.heads & (0 - (u32)(call->c->http2 & 1)); /* no branch, for the verifier */
	s->walk.heads -= streams;
	if (!submit(s, e, size, CLEW_LOSS_RING_FULL)) {
		lose(s, CLEW_LOSS_RING_FULL_BYTES, length);
		lose(s, CLEW_LOSS_RING_FULL_STREAMS, streams);
		return -1;
	}
	events_lost_told = s->lost;
	return 0;
}

static __always_inline void http1_emit(struct http1_view *v, u64 advanced_to)
{
	struct call *call = v->environment;
	struct http1_walk *w = v->w;
	u32 at = HTTP1_INDEX(w->capture - w->window), length = w->capture_end - w->capture;
	u64 position = call->s->position + (w->capture_end - length);
	int done;

	w->capture = HTTP1_NO_CAPTURE;
	w->ended = 0;
	if (injecting && !v->is_plain && !call->c)
		return;
	done = emit_bytes(call, at, length, position, call->s->position + advanced_to);
	/* else the compiler returns nothing, and what happens to lie in R0 may be a pointer to the stack, which the verifier refuses */
	asm volatile("" : : "r"(done));
}

/* A request's head ends with the line [line_start, offset). Was something added before it, or changed in it? Then that is shown as well. */
static __noinline int show_insertion(struct http1_view *v)
{
	struct call *call = v->environment;
	struct scratch *s = call->s;
	struct injection *i = call->i;
	struct http1_walk *w = v->w;
	u32 ends = call->c->base[1] + (u32)s->position + w->offset - 2;
	struct insertion *n = insertion_before(i, ends + 1);

	if (!n || n->sequence != ends)
		return 0;
	i->taken++;
	s->shown = 1;
	if (n->updated) {
		http1_capture(v, w->line_start, w->offset);
		s->injected |= CLEW_UPDATED;
		http1_emit(v, w->offset);
		return 1;
	}
	if (w->capture != HTTP1_NO_CAPTURE)
		http1_emit(v, w->line_start);
	__builtin_memcpy(s->bytes + SCRATCH_HEADROOM + INSERTION_AT, n->text, sizeof(n->text));
	s->injected |= CLEW_INJECTED;
	emit_bytes(call, INSERTION_AT, sizeof(n->text), s->position + w->line_start, s->position + w->line_start + sizeof(n->text));
	s->position += INJECTED_BYTES;
	w->origin += INJECTED_BYTES;
	return 1;
}

static __always_inline bool http1_head_ended(struct http1_view *v)
{
	struct call *call = v->environment;
	int shown;

	v->w->heads++;
	if (v->is_plain)
		return false;
	if (!call->c) {
		message_head_ended(v);
		return false;
	}
	if (v->w->direction != CLEW_EGRESS || !call->i)
		return false;
	shown = show_insertion(v);
	return shown != 0;
}

static long call_step(u32 index, struct call *call)
{
	struct http1_view v = view_of(call);

	return http1_step(&v);
}

/* The same where nothing is ever injected: sys_exit, on kernels that want all of its stack. */
static long plain_step(u32 index, struct call *call)
{
	struct http1_view v = view_of(call);

	v.is_plain = true;
	return http1_step(&v);
}

static __always_inline struct http2_view frames_of(struct call *call)
{
	struct connection *c = call->c;
	u8 d = call->s->walk.direction & 1;
	struct http2_view h = {
		.v = view_of(call),
		.d = d ? &c->frames[1] : &c->frames[0],
		.other = d ? &c->frames[0] : &c->frames[1],
	};

	h.v.is_plain = true;
	return h;
}

static long frame_step(u32 index, struct call *call)
{
	struct http2_view h = frames_of(call);

	return http2_step(&h);
}

static __always_inline u32 http2_frame_begins(struct http2_view *h, u32 at)
{
	struct call *call = h->v.environment;

	if (injecting && call->s->let_go && call->s->let_go != LET_GO_BEHIND + at && h->d->header[3] == HTTP2_HEADERS) {
		leave_alone(call->s, CLEW_ALONE_LET_GO);
		call->s->let_go = LET_GO_BEHIND + at; /* the same frame may be met again, when what lies before it was handed over */
	}
	return injecting && call->streams ? stream_frame_begins(call->s, call->streams, call->c->base[CLEW_EGRESS], at) : 0;
}

static __always_inline void http2_lengthen(struct http2_view *h, u32 at)
{
	u8 *header = h->v.data + HTTP1_INDEX(at - h->v.w->window);
	u32 length = ((u32)header[0] << 16 | (u32)header[1] << 8 | header[2]) + STREAM_FIELD;

	header[0] = (u8)(length >> 16);
	header[1] = (u8)(length >> 8);
	header[2] = (u8)length;
}

static __always_inline bool http2_add(struct http2_view *h, bool those)
{
	struct call *call = h->v.environment;

	return !injecting || !call->streams || add_to_shown(call->s, call->streams, call->c->id, those);
}

static __always_inline bool http2_has_added(struct http2_view *h)
{
	struct call *call = h->v.environment;

	return injecting && call->s->held != 0;
}

/* One place for all that frame_step() hands over, for the verifier. */
static __always_inline void http2_emit(struct http2_view *h)
{
	struct call *call = h->v.environment;
	struct scratch *s = call->s;
	struct http1_walk *w = &s->walk;
	u32 at = HTTP1_INDEX(w->capture - w->window), length = w->capture_end - w->capture;
	u64 position = s->position + w->capture, advanced_to = s->position + w->offset;
	u8 begins = w->begins;
	int done;

	if (http2_has_added(h)) {
		at = INSERTION_AT;
		length = s->held;
		position = s->held_position;
		if (w->capture != HTTP1_NO_CAPTURE)
			advanced_to = s->position + w->capture;
		w->begins = (u8)s->held_begins;
		s->injected |= CLEW_INJECTED;
		s->held = 0;
	} else {
		w->capture = HTTP1_NO_CAPTURE;
		w->ended = 0;
	}
	done = emit_bytes(call, at, length, position, advanced_to);
	asm volatile("" : : "r"(done)); /* as in http1_emit */
	w->begins = begins;
}

#define TLS_TOLD_NS 1000000000ull
#define TLS_TOLD_MAX 6 /* then the interval grows no more */

/* A connection begins with the handshake of TLS: user space looks for libraries that have come since it did so last. */
static __noinline int tell_of_tls(struct call *call)
{
	struct scratch *s = call->s;
	const u8 *record = s->bytes + SCRATCH_HEADROOM;
	struct clew_event_process *e = &s->event.process;
	u32 tgid = s->tgid; /* as in read_execution() */
	struct clew_process *p;

	if (record[0] != 22 || record[1] != 3 || call->c->tls)
		return 0;
	call->c->handshake = 1;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p || s->now_ns - p->tls_told_ns < TLS_TOLD_NS << (p->tls_told & 7))
		return 0;
	p->tls_told_ns = s->now_ns;
	if (p->tls_told < TLS_TOLD_MAX)
		p->tls_told++;
	__builtin_memset(e, 0, sizeof(*e));
	e->type = CLEW_EVENT_PROCESS;
	e->change = CLEW_PROCESS_TLS;
	e->tgid = s->tgid;
	e->time_ns = s->now_ns;
	e->selected = 1;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	if (bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_FORCE_WAKEUP))
		lose(s, CLEW_LOSS_PROCESS_EVENT, 1);
	return 0;
}

#define WALK_MAY_TURN (-1)

/* After the last step of HTTP/1. */
static __always_inline int finish(struct call *call, bool is_plain)
{
	struct http1_view v = view_of(call);
	struct scratch *s = call->s;
	struct http1_walk *w = &s->walk;

	v.is_plain = is_plain;
	/* a connection that is followed is told at once of bytes that it is not shown: a body that goes on, or a hole */
	if ((w->foreign || s->hole > 0 || !s->readable) && call->c->announced)
		w->ended = 1;
	if (http1_finish(&v))
		lose(s, CLEW_LOSS_STEPS, 1);
	if (w->foreign) {
		s->counters.figures[CLEW_FIGURE_FOREIGN]++;
		if (w->at_start)
			tell_of_tls(call);
	}
	return (int)w->offset;
}

/* Goes over the bytes of the call that s->walk stands at the beginning of. */
static __always_inline int walk(struct call *call, bool is_plain)
{
	struct http1_view v = view_of(call);
	struct scratch *s = call->s;
	struct http1_walk *w = &s->walk;

	w->carried = v.d->line_length != 0;
	if (s->hole > 0 && http1_skip(&v, (u64)s->hole))
		lose(s, CLEW_LOSS_HOLE, (u64)s->hole);
	if (!s->readable) {
		if (http1_skip(&v, w->total))
			lose(s, CLEW_LOSS_UNREADABLE, 1);
		w->offset = w->total;
	} else {
		bpf_loop(HTTP1_STEPS_MAX, is_plain ? plain_step : call_step, call, 0);
	}
	v.is_plain = is_plain;
	if (s->readable && http2_may_turn(&v, (call->c->frames[0].state | call->c->frames[1].state) != HTTP2_NONE))
		return WALK_MAY_TURN;
	return finish(call, is_plain);
}

/*
 * A call that HTTP/1 can make nothing of. Does the connection speak HTTP/2 from some byte of it on? Then walk_frames() goes on there. By
 * itself, and not within the walk, for the stack.
 */
static __noinline int turn_to_frames(struct scratch *s, struct connection *c, struct sock *sk)
{
	struct call call = {.s = s, .c = c, .sk = sk};
	struct http2_view h = frames_of(&call);

	u8 end = HTTP2_UNKNOWN_END;

	if (sk && BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX) /* who has called connect() has no backlog of a listener */
		end = BPF_CORE_READ(sk, sk_max_ack_backlog) ? HTTP2_ACCEPTED : HTTP2_CONNECTED;
	if (s->walk.window_end == 0 && http1_load(&h.v, 0) < 0)
		return 0;
	if (!http2_turns(&h, end))
		return 0;
	c->http2 = 1;
	return 1;
}

static __noinline int finish_call(struct scratch *s, struct connection *c, struct sock *sk)
{
	struct call call = {.s = s, .c = c, .sk = sk};

	return finish(&call, true);
}

/* A call of a connection that speaks HTTP/2, or may turn to it: goes over its frames, from walk.offset on. */
static __always_inline int go_over_frames(struct call *call)
{
	struct http2_view h = frames_of(call);
	struct connection *c = call->c;
	struct scratch *s = call->s;
	struct http1_walk *w = &s->walk;

	if (s->hole > 0 && http2_skip(&h, (u64)s->hole))
		lose(s, CLEW_LOSS_HOLE, (u64)s->hole);
	if (!s->readable) {
		if (http2_skip(&h, w->total))
			lose(s, CLEW_LOSS_UNREADABLE, 1);
		w->offset = w->total;
	} else {
		http2_find(&h);
		bpf_loop(HTTP1_STEPS_MAX, frame_step, call, 0);
	}
	if ((w->foreign || s->hole > 0 || !s->readable) && c->announced)
		w->ended = 1;
	if (http2_finish(&h))
		lose(s, CLEW_LOSS_STEPS, 1);
	if (w->foreign)
		s->counters.figures[CLEW_FIGURE_FOREIGN]++;
	return (int)w->offset;
}

/*
 * Functions that are not static are verified once each, whatever leads to them, not once per path; they take no kernel pointers, so the
 * socket is handed over by its address, in s->sk.
 */
__noinline int walk_frames(struct scratch *s, struct connection *c)
{
	struct call call = {.s = s, .c = c};

	if (!s || !c)
		return 0;
	call.sk = (struct sock *)s->sk;
	if (s->walked && !turn_to_frames(s, c, call.sk))
		return finish_call(s, c, call.sk);
	return go_over_frames(&call);
}

/* The same where requests may have been given contexts. */
static __noinline int walk_streams(struct scratch *s, struct connection *c, struct sock *sk)
{
	struct call call = {.s = s, .c = c, .sk = sk};
	int done;

	if (s->walked && !turn_to_frames(s, c, sk))
		return finish_call(s, c, sk);
	s->let_go = 0;
	if (c->http.request_direction == 1 + CLEW_EGRESS) {
		call.streams = bpf_sk_storage_get(&streams, sk, 0, 0);
		if (!call.streams && s->walk.direction == CLEW_EGRESS)
			s->let_go = let_go_streams(c, sk);
	} else if (!c->serves) {
		c->serves = 1;
		done = serves(s);
		asm volatile("" : : "r"(done));
	}
	return go_over_frames(&call);
}

#include "propagation/received_streams.bpf.h"

/* By themselves, for the stack: 512 bytes are all there is before 6.13. */
static __noinline int walk_call(struct scratch *s, struct connection *c, struct sock *sk, struct injection *i)
{
	struct call call = {.s = s, .c = c, .sk = sk, .i = i};

	return walk(&call, false);
}

__noinline int walk_plain_call(struct scratch *s, struct connection *c)
{
	struct call call = {.s = s, .c = c};

	if (!s || !c)
		return 0;
	call.sk = (struct sock *)s->sk;
	return walk(&call, true);
}

/* The walk under way at its beginning. */
static __always_inline void begin_walk(struct http1_walk *w, u32 total, u8 direction, u32 origin, bool at_start)
{
	w->total = total;
	w->offset = 0;
	w->line_start = 0;
	w->window = 0;
	w->window_end = 0;
	w->capture = HTTP1_NO_CAPTURE;
	w->capture_end = 0;
	w->direction = direction;
	w->ended = 0;
	w->foreign = 0;
	w->begins = 0;
	w->flush = 0;
	w->preface = 0;
	w->at_start = at_start;
	w->origin = origin;
	w->heads = 0;
	w->body = HTTP1_NO_CAPTURE;
}

/*
 * Which request its worker serves from here on. `state`: of the requests' direction, before the call; `sk`: NULL for a TLS session, whose
 * `v` is its own.
 */
static __always_inline void follow_requests(struct scratch *s, struct connection *c, struct sock *sk, struct served *v, u8 d, u8 state,
					    struct injection *i)
{
	struct http1_direction *requests = &c->direction[CLEW_INGRESS], *responses = &c->direction[CLEW_EGRESS];
	int done;

	if (c->http.request_direction == 1 + CLEW_INGRESS) {
		if (sk)
			v = bpf_sk_storage_get(&served, sk, 0, d == CLEW_INGRESS && s->walk.heads ? BPF_SK_STORAGE_GET_F_CREATE : 0);
		if (!v)
			return;
		if (d == CLEW_EGRESS && s->walk.heads) {
			done = response_sent(s, v);
			asm volatile("" : : "r"(done));
		}
		if (d == CLEW_INGRESS && s->walk.heads) {
			done = request_read(s, c, sk, v);
			asm volatile("" : : "r"(done));
		} else if (d == CLEW_INGRESS && state != HTTP1_START && requests->state == HTTP1_START &&
			   c->http.responses != c->http.requests) {
			done = request_complete(s, v);
			asm volatile("" : : "r"(done));
		} else if (d == CLEW_EGRESS && responses->state == HTTP1_UNTIL_CLOSE) {
			request_uncertain(v); /* until when, the kernel sees too late */
		} else if (d == CLEW_EGRESS && (responses->state == HTTP1_OPAQUE ||
						(responses->state == HTTP1_START && c->http.responses == c->http.requests))) {
			request_over(v, c->id);
		}
	} else if (d == CLEW_INGRESS && s->walk.heads) {
		if (!sk)
			return;
		done = response_read(s, sk);
		asm volatile("" : : "r"(done));
	} else if (d == CLEW_EGRESS && s->walk.heads && !s->shown && (c->has_base || c->tls)) {
		done = sent_uninjected(s, c, i, (u64)sk);
		asm volatile("" : : "r"(done));
	}
}

/* `moved` bytes in `direction`, and `added` more on the wire; `readable`: s->buffer names them. `is_plain`: nothing is ever injected; `v`:
 * of a TLS session. */
static __always_inline void handle_call(struct scratch *s, struct connection *c, struct sock *sk, u8 direction, u32 moved, u32 added,
					bool readable, const struct tcp_positions *tcp, u64 pid_tgid, struct injection *i, bool is_plain,
					struct served *v)
{
	u8 d = direction & 1, state = c->direction[0].state;
	struct http1_walk *w = &s->walk;
	u64 before = position_before(c, tcp, d, moved + added);
	int done;

	s->counters.figures[CLEW_FIGURE_CALLS]++;
	s->now_ns = bpf_ktime_get_ns();
	s->position = before;
	s->other_position = tcp ? tcp->end[d ^ 1] - c->base[d ^ 1] : (u32)c->position[d ^ 1];
	s->tgid = (u32)(pid_tgid >> 32);
	s->tid = (u32)pid_tgid;
	s->hole = (s64)(before - c->position[d]);
	s->readable = readable;
	s->sk = (u64)sk;
	s->turn = 0;
	if (c->runtime == CLEW_RUNTIME_NODE && d == CLEW_INGRESS && !c->tls) /* a turn is the socket's */
		begin_node_turn(s, c->id, s->tgid, c->http.request_direction == 1 + CLEW_INGRESS);
	s->lost = events_lost;
	s->injected = s->lost != events_lost_told ? CLEW_LOST : 0;
	s->shown = 0;
	s->held = 0;
	begin_walk(w, moved, d, (u32)before, c->from_start && before == 0);
	c->http.distrusted &= 1 << d;
	c->position[d] = before + moved + added;
	c->last_time_ns[d] = s->now_ns;
	s->walked = !c->http2; /* by another thread's call it may turn before this one's end */
	done = !s->walked ? WALK_MAY_TURN : is_plain || !injecting ? walk_plain_call(s, c) : walk_call(s, c, sk, i);
	asm volatile("" : : "r"(done)); /* as in http1_emit */
	if (done == WALK_MAY_TURN) {
		done = is_plain || !injecting ? walk_frames(s, c) : walk_streams(s, c, sk);
		asm volatile("" : : "r"(done));
	}
	if (!injecting || (is_plain && !v))
		return;
	if (c->http2 && !v && d == CLEW_INGRESS) {
		done = forget_turn(s);
		asm volatile("" : : "r"(done));
	}
	if (c->http2 && !v && d == CLEW_INGRESS && go_probed && (c->runtime == CLEW_RUNTIME_GO || c->runtime == CLEW_RUNTIME_GO_IDLE) &&
	    c->http.request_direction == 1 + CLEW_INGRESS) {
		done = walk_received(s, c, sk);
		asm volatile("" : : "r"(done));
	}
	if (!c->http2) {
		follow_requests(s, c, v ? NULL : sk, v, d, state, i);
	} else if (v && !c->serves && d == CLEW_INGRESS && c->http.request_direction == 1 + CLEW_INGRESS) {
		c->serves = 1;
		done = serves(s);
		asm volatile("" : : "r"(done));
	}
}

#endif
