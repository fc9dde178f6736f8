/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests of HTTP/2 that are given a trace context: what is known of such a connection, which request gets one, and its text. The ids are
 * made from the place of the request's frame, so that capture, which shows user space the bytes of the wire, needs no more than that place.
 */
#ifndef CLEW_BPF_STREAMS_H
#define CLEW_BPF_STREAMS_H

#define STREAM_FIELD 69		 /* a literal without indexing, with a new name (RFC 7541 §6.2.2): 0, 11, name, 55, traceparent */
#define STREAM_TEXT_AT 14	 /* of the traceparent in it */
#define STREAM_INSERTIONS 256	 /* power of two: requests of one call, at the most */
#define STREAM_PLACE_MAX 250000	 /* how far in a message a request may end: with all that is added, it is to be one piece of 2^18 bytes */
#define STREAM_ROUND 8192	 /* power of two: of it, made anew at once … */
#define STREAM_CHUNK 4096	 /* … and copied at once */
#define STREAM_LIST_ASSUMED 8192 /* lists of fields up to this are sent to a peer that has not said yet how long they may be */
#define SETTING_BYTES 6
#define SETTING_MAX_HEADER_LIST_SIZE 6
#define SETTINGS_MAX 16	   /* in one frame; there are fewer kinds */
#define STREAM_TRACE_ID 32 /* new_id: not a number that anything else has */
#define STREAM_SPAN_ID 34

/* Where bytes were added to a connection: sequence numbers on the wire. */
struct stream_insertion {
	u32 frame; /* header of the frame that is longer by them */
	u32 place; /* the first of them */
};

/* The trace of a request that is made for another; of those that begin one it follows from the place. */
#define STREAMS_GIVEN 64 /* power of two */
struct stream_given {
	u64 trace_id[2];
	u32 insertion; /* 1 + its number, or 0 */
	u8 flags;
	u8 padding[3];
};

struct streams {
	struct http2_requests requests;
	u32 list_max; /* SETTINGS_MAX_HEADER_LIST_SIZE of the peer, or 0 */
	u32 told;     /* its settings were seen */
	u32 taken;    /* insertions: the next to be read by capture … */
	u32 made;     /* … and the next to be made */
	struct stream_insertion insertions[STREAM_INSERTIONS];
	struct stream_given given[STREAMS_GIVEN]; /* by number of the insertion */
};

/* socket of a client that speaks HTTP/2 → its requests. Made with its preface. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct streams);
} streams SEC(".maps");

/* STREAM_FIELD, and what is writable behind it. */
struct stream_text {
	u8 bytes[72];
};

/* The message under way, by CPU: guarded by the work space SCRATCH_MESSAGE. As many as there are CPUs, made known by user space. */
struct stream_work {
	u32 n;
	u32 sequence; /* of the message's first byte */
	u64 connection;
	u32 frame_at[STREAM_INSERTIONS]; /* offsets, ascending */
	u32 place[STREAM_INSERTIONS];
	u32 added; /* bytes, by all of them */
	u32 next;  /* insertion to come */
	u32 from;  /* the next byte to be moved, as the application has sent them … */
	u32 begin; /* … and the first one of this round */
	u32 to;	   /* behind the round's bytes as they are to be: */
	u32 padding;
	u8 bytes[2 * STREAM_ROUND + sizeof(struct stream_text)];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stream_work);
} stream_works SEC(".maps");

/*
 * The socket of a client without an entry in `streams`: because it was let go, or never taken in? Whom it asks may be traced here, too,
 * and user space will join the two.
 */
static __noinline int let_go_streams(struct connection *c, struct sock *sk)
{
	struct injection *i = bpf_sk_storage_get(&injections, sk, 0, 0);

	if (!i && c->has_base)
		local_client_connects(c->base[CLEW_EGRESS], c->base[CLEW_INGRESS]);
	return !i || i->once;
}

static __always_inline struct stream_insertion *stream_insertion_at(struct streams *t, u32 index)
{
	return &t->insertions[index & (STREAM_INSERTIONS - 1)];
}

static __always_inline struct stream_given *given_at(struct streams *t, u32 number)
{
	return &t->given[number & (STREAMS_GIVEN - 1)];
}

/* What is added to the request whose frame has that place on that connection, as the insertion of that number: if it is given none, a trace
 * of its own. */
__noinline int write_stream_text(struct stream_text *to, u64 connection, u32 frame, struct streams *streams, u32 number)
{
	struct stream_given *given;
	struct traceparent *t;
	u64 first, last;
	u8 flags;

	if (!to || !streams)
		return 0;
	given = given_at(streams, number);
	to->bytes[0] = 0;
	to->bytes[1] = INJECTED_NAME - 2;
	__builtin_memcpy(to->bytes + 2, "traceparent", INJECTED_NAME - 2);
	to->bytes[STREAM_TEXT_AT - 1] = HTTP1_TRACEPARENT;
	t = (struct traceparent *)(to->bytes + STREAM_TEXT_AT);
	if (given->insertion == number + 1) {
		first = given->trace_id[0];
		last = given->trace_id[1];
		flags = given->flags;
	} else {
		first = new_id(connection, frame, STREAM_TRACE_ID);
		last = new_id(connection, frame, STREAM_TRACE_ID + 1);
		flags = (__builtin_bswap64(last) & 0x00ffffffffffffffull) >= sampling_threshold; /* trace_is_kept() */
	}
	put_trace_id(t, first, last);
	put_hex(t->text + PARENT_ID_AT, new_id(connection, frame, STREAM_SPAN_ID));
	t->text[FLAGS_AT] = '0';
	t->text[FLAGS_AT + 1] = '0' + flags;
	return 1;
}

/*
 * A program that has served nobody begins a trace with each request. Who writes a connection's frames is seldom who has asked for them: for
 * whom one that serves sends a stream is known where probes show it. CAUSE_FOUND: what it is given as that insertion stands in `t`.
 */
static __noinline int find_stream_cause(struct scratch *s, struct streams *t, u32 number)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &s->tgid);
	struct stream_given *given = given_at(t, number);
	struct go_cause cause = {};

	given->insertion = 0;
	if (!p)
		return CAUSE_UNKNOWN;
	if (!p->serves)
		return CAUSE_NONE;
	if (p->runtime != CLEW_RUNTIME_GO || !go_probed || !go_stream_cause(s, &cause, t->requests.stream))
		return CAUSE_UNKNOWN;
	given->trace_id[0] = cause.trace_id[0];
	given->trace_id[1] = cause.trace_id[1];
	given->flags = (cause.flags & 2) | (cause.sampled ? 1 : 0);
	given->insertion = number + 1;
	return CAUSE_FOUND;
}

/* What the peer's SETTINGS say of header lists; `at`: of their frame's header, in the window. */
static __noinline int read_settings(struct scratch *s, struct streams *t, u32 at)
{
	u32 length, entries, behind = at + HTTP2_HEADER;
	const u8 *p;

	if (!s || !t)
		return 0;
	p = s->bytes + SCRATCH_HEADROOM + HTTP1_INDEX(at - s->walk.window);
	length = (u32)p[0] << 16 | (u32)p[1] << 8 | p[2];
	if (p[4] & HTTP2_ACK)
		return 0;
	entries = length / SETTING_BYTES;
	if (behind + length > s->walk.window_end || entries > SETTINGS_MAX) { /* not at hand */
		if (!t->list_max)
			t->list_max = STREAM_LIST_ASSUMED;
		return 0;
	}
	t->told = 1;
	for (u32 i = 0; i < SETTINGS_MAX; i++) {
		const u8 *q = s->bytes + SCRATCH_HEADROOM + HTTP1_INDEX(behind + i * SETTING_BYTES - s->walk.window);

		if (i >= entries)
			break;
		if (!q[0] && q[1] == SETTING_MAX_HEADER_LIST_SIZE)
			t->list_max = (u32)q[2] << 24 | (u32)q[3] << 16 | (u32)q[4] << 8 | q[5];
	}
	return 0;
}

/* See http2_frame_begins(). */
__noinline u32 stream_frame_begins(struct scratch *s, struct streams *t, u32 base, u32 at)
{
	struct stream_insertion *n;
	u32 sequence;

	if (!s || !t)
		return 0;
	if (s->walk.direction == CLEW_INGRESS) {
		if (s->bytes[SCRATCH_HEADROOM + HTTP1_INDEX(at - s->walk.window) + 3] == HTTP2_SETTINGS)
			read_settings(s, t, at);
		return 0;
	}
	n = stream_insertion_at(t, t->taken);
	sequence = base + (u32)s->position + at;
	if (t->taken == t->made || n->frame != sequence || n->place - sequence > HTTP2_HEADER + HTTP2_FRAME_MAX)
		return 0;
	return n->place - sequence - HTTP2_HEADER;
}

/* Puts what is captured aside and, `those`, behind it what was added to the request whose block ends there. 0: no room. */
__noinline int add_to_shown(struct scratch *s, struct streams *t, u64 connection, u32 those)
{
	struct http1_walk *w;
	u32 from, n, held;
	u8 *to;
	int done;

	if (!s || !t)
		return 0;
	w = &s->walk;
	from = w->capture == HTTP1_NO_CAPTURE ? w->offset : w->capture;
	n = w->offset - from;
	held = s->held;
	to = s->bytes + SCRATCH_HEADROOM + INSERTION_AT;
	if (held >= CLEW_WINDOW / 2 || n >= CLEW_WINDOW / 2 || held + n + sizeof(struct stream_text) > CLEW_WINDOW ||
	    (held && s->held_position + held != s->position + from))
		return 0;
	if (!held) {
		s->held_position = s->position + from;
		s->held_begins = n ? w->begins : 0;
	}
	w->capture = HTTP1_NO_CAPTURE;
	if (n && bpf_probe_read_kernel(to + held, n, s->bytes + SCRATCH_HEADROOM + HTTP1_INDEX(from - w->window)))
		return 1;
	held += n;
	if (those) {
		done = write_stream_text((struct stream_text *)(to + (held & (CLEW_WINDOW - 1))), connection,
					 stream_insertion_at(t, t->taken)->frame, t, t->taken);
		asm volatile("" : : "r"(done)); /* as in http1_emit */
		t->taken++;
		held += STREAM_FIELD;
		s->position += STREAM_FIELD;
		w->origin += STREAM_FIELD;
	}
	s->held = held;
	return 1;
}

/* The block of a new request ends: is it given a trace context? */
static __noinline int stream_request_ends(struct call *call, struct streams *t, struct stream_work *work)
{
	struct scratch *s = call->s;
	struct http2_requests *r = &t->requests;
	u32 place = s->walk.offset, list = r->hpack.list_size + HPACK_FIELD + INJECTED_NAME - 2 + HTTP1_TRACEPARENT, n;
	u32 list_max = t->list_max ? t->list_max : t->told ? ~0u : STREAM_LIST_ASSUMED;
	int found = CAUSE_UNKNOWN;

	n = work->n;
	if (r->hpack.list_size >= HPACK_REQUEST_MIN && is_readable_call(call->sk))
		found = find_stream_cause(s, t, t->made + n); /* once for each request, whatever becomes of it */
	if (r->hpack.list_size < HPACK_REQUEST_MIN)	      /* no method, path and scheme: this only looks like HTTP/2 */
		leave_alone(s, CLEW_ALONE_FRAMING);
	else if (r->hpack.flags & HPACK_CONTEXT)
		leave_alone(s, CLEW_ALONE_OWN_CONTEXT);
	else if (found == CAUSE_UNKNOWN)
		leave_alone(s, CLEW_ALONE_NO_CONTEXT);
	else if (r->frame_at == HTTP2_NOT_HERE || place <= r->frame_at + HTTP2_HEADER) /* cut, or an empty frame ends it */
		leave_alone(s, CLEW_ALONE_HEAD_SPLIT);
	else if (r->length + STREAM_FIELD > HTTP2_FRAME_MAX || list > list_max || r->hpack.fields >= HPACK_FIELDS_MAX)
		leave_alone(s, CLEW_ALONE_TOO_LONG);
	else if (n >= STREAM_INSERTIONS || t->made - t->taken + n >= (found == CAUSE_FOUND ? STREAMS_GIVEN : STREAM_INSERTIONS) ||
		 place > STREAM_PLACE_MAX)
		leave_alone(s, CLEW_ALONE_PIPELINED);
	else {
		n &= STREAM_INSERTIONS - 1;
		work->frame_at[n] = r->frame_at;
		work->place[n] = place;
		work->n = n + 1;
	}
	return 0;
}

/* As added_bytes() of injection.bpf.h: of a call that ended at `end`; forgets what belongs to calls that no hook has shown. */
__noinline u32 added_to_streams(struct streams *t, u32 known, u32 end)
{
	u32 added = 0, at;

	if (!t)
		return 0;
	at = t->taken;
	for (u32 k = 0; k < STREAM_INSERTIONS; k++) {
		if (at == t->made || (s32)(stream_insertion_at(t, at)->place - known) >= 0)
			break;
		at++;
	}
	t->taken = at;
	for (u32 k = 0; k < STREAM_INSERTIONS; k++) {
		if (at == t->made || (s32)(stream_insertion_at(t, at)->place - end) >= 0)
			break;
		at++;
		added += STREAM_FIELD;
	}
	return added;
}

#endif
