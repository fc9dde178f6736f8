/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the requests carry that a Go program reads as a server of HTTP/2: its bytes are gone over a second time, by http2/sent_requests.h,
 * for the context that a stream has brought, or that it begins a trace. Both are kept for who begins to serve it (go_causes.bpf.h).
 */
#ifndef CLEW_BPF_RECEIVED_STREAMS_H
#define CLEW_BPF_RECEIVED_STREAMS_H

#define CONTEXT_FIELD 69 /* what propagation/inject_streams adds to a block: STREAM_FIELD */

struct received {
	struct http2_requests requests;
	u32 has_tail;
	u32 padding;
	u8 tail[2 * HTTP1_LINE]; /* of a call that has ended within a block: the last CONTEXT_FIELD - 1 bytes */
};

/* Requests of HTTP/2 that a Go program reads, by socket: where their header blocks end, and what they carry. Made with the preface. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct received);
} received_requests SEC(".maps");

/* The block's last field, if it is a traceparent in the form that is added here. `p`: its first byte. */
static __always_inline bool brought_by_field(struct go_cause *cause, const u8 *p)
{
	const struct traceparent *t = (const struct traceparent *)(p + 14);

	if (http1_u64(p) != HTTP1_WORD(0, 11, 't', 'r', 'a', 'c', 'e', 'p') ||
	    (http1_u64(p + 8) & HPACK_LOW(6)) != HTTP1_WORD('a', 'r', 'e', 'n', 't', HTTP1_TRACEPARENT, 0, 0) || !traceparent_is_valid(t))
		return false;
	cause->trace_id[0] = read_hex((const struct hex_text *)(t->text + TRACE_ID_AT));
	cause->trace_id[1] = read_hex((const struct hex_text *)(t->text + TRACE_ID_AT + 16));
	cause->flags = 4 | (hex_value(t->text[FLAGS_AT + 1]) & 3);
	cause->sampled = sampling_by_parent ? cause->flags & 1 : trace_is_kept(t);
	return true;
}

/* Two connections that one goroutine reads: nobody knows which of their streams is meant. */
static __noinline int put_received(struct go_cause_key *key, struct go_cause *cause)
{
	struct go_cause *other = bpf_map_lookup_elem(&go_causes, key);

	if (other && other->connection != cause->connection)
		other->known = 0;
	else
		bpf_map_update_elem(&go_causes, key, cause, BPF_ANY);
	return 0;
}

#define FIELD_NOWHERE 0xffffffffu

/* The head of a request is read. `field`: where the last CONTEXT_FIELD bytes of its block lie in s->bytes, behind the headroom. */
__noinline int go_stream_received(struct scratch *s, struct connection *c, struct http2_requests *r, u32 field)
{
	struct clew_runtime_layout *layout;
	struct go_cause cause = {};
	struct go_cause_key key = {};
	struct wire wire = {};
	u64 position;

	if (!s || !c || !r || c->runtime != CLEW_RUNTIME_GO)
		return 0;
	key.tgid = s->tgid;
	key.stream = r->stream;
	layout = bpf_map_lookup_elem(&runtimes, &key.tgid);
	if (!layout || (!s->reader && !go_read(&s->execution, layout, &s->go, false)))
		return 0;
	s->reader = 1;
	cause.connection = c->id;
	wire.requests = c->base[CLEW_INGRESS];
	wire.responses = c->base[CLEW_EGRESS];
	if (r->hpack.flags & HPACK_CONTEXT) {
		cause.known = reads_traceparent && !sampling_by_state && !(r->hpack.flags & HPACK_CONTEXTS) && field <= INSERTION_AT &&
			      brought_by_field(&cause, s->bytes + SCRATCH_HEADROOM + field);
	} else if (c->has_base && !bpf_map_lookup_elem(&local_clients, &wire)) {
		/* else it is the trace of a client on this node that was left alone, or of one behind a Unix socket */
		position = s->position + (s32)(r->begins - (u32)s->position);
		cause.trace_id[0] = new_stream_id(c->id, position, r->stream, 1);
		cause.trace_id[1] = new_stream_id(c->id, position, r->stream, 2);
		cause.sampled = (__builtin_bswap64(cause.trace_id[1]) & 0x00ffffffffffffffull) >= sampling_threshold; /* trace_is_kept() */
		cause.known = 1;
	}
	key.goroutine = s->execution.words[0];
	key.kind = GO_READ_BY;
	put_received(&key, &cause);
	key.goroutine = go_id(s->execution.words[1]);
	key.kind = GO_READ_BELOW;
	if (key.goroutine)
		put_received(&key, &cause);
	return 0;
}

static long received_step(u32 index, struct call *call)
{
	struct scratch *s = call->s;
	struct http2_sent v = {
		.v = {.w = &s->walk, .data = s->bytes + SCRATCH_HEADROOM, .environment = call, .is_plain = true},
		.r = &call->received->requests,
	};

	return http2_requests_step(&v);
}

static __always_inline void begin_again(struct scratch *s, u32 offset)
{
	s->walk.offset = offset;
	s->walk.window = 0;
	s->walk.window_end = 0;
	s->iov_index = 0;
	s->iov_offset = 0;
}

/* Goes over the bytes again that a Go program reads as a server of HTTP/2: what do its requests carry? */
static __noinline int walk_received(struct scratch *s, struct connection *c, struct sock *sk)
{
	struct call call = {.s = s, .c = c, .sk = sk};
	struct http1_walk *w = &s->walk;
	bool begins = w->preface || w->at_start; /* else the server has spoken first */
	struct received *received = bpf_sk_storage_get(&received_requests, sk, 0, begins ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	struct http2_sent v = {.v = {.w = w, .environment = &call, .is_plain = true}};
	struct http2_requests *r;
	u32 from = 0;

	if (!received)
		return 0;
	v.r = r = &received->requests;
	if (r->state == HTTP2_REQUESTS_NONE) {
		http2_requests_begin(r);
		if (w->preface)
			from = w->line_start;
		else
			r->left = HTTP2_PREFACE;
	}
	if (s->hole > 0 || !s->readable)
		r->state = HTTP2_REQUESTS_FAILED;
	if (r->state == HTTP2_REQUESTS_FAILED)
		return 0;
	begin_again(s, from);
	s->reader = 0;
	call.received = received;
	bpf_loop(HTTP1_STEPS_MAX, received_step, &call, 0);
	http2_requests_finish(&v);
	received->has_tail = 0;
	if (r->state == HTTP2_REQUESTS_BLOCK && w->total >= CONTEXT_FIELD - 1) {
		begin_again(s, w->total);
		if (http1_load(&v.v, w->total - (CONTEXT_FIELD - 1)) >= 0) {
			__builtin_memcpy(received->tail, s->bytes + SCRATCH_HEADROOM, CONTEXT_FIELD - 1);
			received->has_tail = 1;
		}
	}
	return 0;
}

/* Where the last CONTEXT_FIELD bytes before `at` lie in s->bytes, behind the headroom: some may be of the call before. */
static __noinline u32 find_field(struct http1_view *v, u32 at)
{
	struct call *call = v->environment;
	struct received *received = call->received;
	struct scratch *s = call->s;
	struct http1_walk *w = v->w;
	u8 *field = s->bytes + SCRATCH_HEADROOM + INSERTION_AT;
	u32 before = CONTEXT_FIELD - at;

	if (at >= CONTEXT_FIELD) {
		if (at - CONTEXT_FIELD < w->window || at > w->window_end) { /* strings are passed over unread */
			begin_again(s, at);
			if (http1_load(v, at - CONTEXT_FIELD) < 0)
				return FIELD_NOWHERE;
		}
		return HTTP1_INDEX(at - CONTEXT_FIELD - w->window);
	}
	if (!at || !received || !received->has_tail)
		return FIELD_NOWHERE;
	if (w->window || at > w->window_end) {
		begin_again(s, at);
		if (http1_load(v, 0) < 0)
			return FIELD_NOWHERE;
	}
	if (bpf_probe_read_kernel(field, before & 127, received->tail + (at - 1)) ||
	    bpf_probe_read_kernel(field + (before & 127), at & 127, s->bytes + SCRATCH_HEADROOM))
		return FIELD_NOWHERE;
	return INSERTION_AT;
}

/* See http2_request_ends(). */
static __always_inline void received_request_ends(struct http2_sent *v)
{
	struct call *call = v->v.environment;
	u32 field = FIELD_NOWHERE;
	int done;

	if (v->r->hpack.flags & HPACK_CONTEXT)
		field = find_field(&v->v, v->v.w->offset);
	done = go_stream_received(call->s, call->c, v->r, field);
	asm volatile("" : : "r"(done)); /* as in http1_emit */
}

#endif
