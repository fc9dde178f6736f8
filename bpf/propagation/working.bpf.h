/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who works for which request: the rules of agent/correlation/execution that the kernel can keep as well, so that a request carries the
 * context that its span will have. What they cannot tell is left alone; user space has the last word on parents.
 */
#ifndef CLEW_BPF_WORKING_H
#define CLEW_BPF_WORKING_H

#define LOOP_TURN_NS_MAX 5000000 /* ExecutionSettings::loop_turn_ns_max */

/* An execution context: a thread, or in Go a goroutine. */
struct worker {
	u64 id;
	u32 tgid;
	u32 is_goroutine;
};

/* A request that a worker has read, and its trace context. */
struct work {
	u64 connection;
	u64 time_ns;
	u32 open; /* connections with a request that this worker has read and not answered */
	u8 known; /* `context` is right */
	u8 ambiguous;
	u8 used;	     /* CLEW_RULE_LOOP: something was sent in this turn */
	u8 received_context; /* `context` came with the request, and its parent id, too */
	u8 sampled;
	u8 padding[7];
	u64 turn; /* Node.js: number of the read that has brought it; CLEW_RULE_LOOP: of the turn */
	struct traceparent context;
};

#include "propagation/local_client.bpf.h"
#include "propagation/tcp_option.bpf.h"

/*
 * worker → its work. Written when a request has been read; over when it is answered, and with its connection. Evicted: a
 * thread seems to work for none. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct worker);
	__type(value, struct work);
} working SEC(".maps");

/* socket of a server → its latest request, and who has read it. */
struct served {
	struct worker worker;
	struct work work;
	u8 counted; /* in work.open of its worker */
	u8 padding[7];
};
_Static_assert(sizeof(struct served) <= sizeof(((struct tls_session *)0)->served), "room in struct tls_session");
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct served);
} served SEC(".maps");

#define VIRTUAL_THREAD (1ull << 63) /* in front of the number of one of Java's */

/* What the worker works for; NULL: nothing. */
static __always_inline struct work *work_of(const struct worker *worker)
{
	struct work *w = bpf_map_lookup_elem(&working, worker);

	return w && w->connection ? w : NULL;
}

/* Not 0: there is no room. */
static __always_inline long begin_work(const struct worker *worker, const struct work *work)
{
	struct work *w = bpf_map_lookup_elem(&working, worker);

	if (!w)
		return bpf_map_update_elem(&working, worker, work, BPF_ANY);
	*w = *work;
	return 0;
}

/* A thread keeps its entry: such a map takes 0.3 us to let go of one and to take one in, for each request. */
static __always_inline void end_work(const struct worker *worker, struct work *w)
{
	w->connection = 0;
	w->open = 0;
	if (worker->is_goroutine || worker->id & VIRTUAL_THREAD)
		bpf_map_delete_elem(&working, worker);
}

/* Java's virtual thread that makes this call, or 0. */
static __always_inline u64 virtual_thread(struct scratch *s, const struct clew_process *p)
{
	struct clew_runtime_layout *layout;

	if (p->runtime != CLEW_RUNTIME_JVM)
		return 0;
	layout = bpf_map_lookup_elem(&runtimes, &s->tgid);
	return layout && read_jvm(&s->execution, layout, s->tid) ? s->execution.words[0] | VIRTUAL_THREAD : 0;
}

/* Who makes this call: false where it cannot be told. */
static __always_inline bool worker_of(struct scratch *s, const struct clew_process *p, bool waits, struct worker *w)
{
	u64 virtual;

	w->tgid = s->tgid;
	w->is_goroutine = 0;
	w->id = s->tid;
	if (p->rule == CLEW_RULE_UNKNOWN || (p->serves & CLEW_HANDS_ON))
		return false;
	if (p->runtime == CLEW_RUNTIME_NODE)
		return is_main_thread();
	if (p->runtime == CLEW_RUNTIME_HAPROXY || p->runtime == CLEW_RUNTIME_TOKIO || p->runtime == CLEW_RUNTIME_GO_IDLE)
		return false; /* known to user space alone */
	virtual = virtual_thread(s, p);
	if (virtual) {
		w->id = virtual;
		return true;
	}
	if (p->runtime == CLEW_RUNTIME_GO) {
		struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &s->tgid);

		if (!layout || !go_read(&s->execution, layout, &s->go, false))
			return false;
		w->is_goroutine = 1;
		w->id = s->execution.words[0];
		return true;
	}
	return waits || p->rule == CLEW_RULE_LOOP;
}

static __always_inline void stop_counting(struct served *v)
{
	struct work *w;

	if (!v->counted)
		return;
	v->counted = 0;
	w = work_of(&v->worker);
	if (!w)
		return;
	if (w->open > 1)
		w->open--;
	else
		end_work(&v->worker, w);
}

/* The context that a server's request has brought in another form than traceparent. False: none that is understood here. */
static __always_inline bool form_context(const struct connection *c, struct work *w)
{
	const struct http1_form_ids *ids = (const struct http1_form_ids *)c->http.traceparent;
	u8 has = c->http.form_has, ids_there = HTTP1_HAS_TRACE | HTTP1_HAS_SPAN;

	if (!(c->http.form & reads_forms) || (has & HTTP1_HAS_ODD) || (has & ids_there) != ids_there)
		return false;
	put_trace_id(&w->context, __builtin_bswap64(ids->high), __builtin_bswap64(ids->low));
	if (sampling_by_parent && (has & (HTTP1_HAS_DECISION | HTTP1_HAS_DEBUG)))
		w->sampled = (has & (HTTP1_HAS_SAMPLED | HTTP1_HAS_DEBUG)) != 0;
	else
		w->sampled = trace_is_kept(&w->context);
	return true;
}

/* The context that a server's request has brought, or begins. */
static __noinline int read_context(struct scratch *s, struct connection *c, struct sock *sk, struct work *w, u64 position)
{
	u8 seen = c->direction[CLEW_INGRESS].seen;
	struct traceparent *t = &w->context;
	bool brought = false;

	w->known = 1;
	w->received_context = 0;
	if ((seen & HTTP1_SEEN_TRACEPARENT) && reads_traceparent) {
		__builtin_memcpy(t->text, c->http.traceparent, sizeof(t->text));
		brought = traceparent_is_valid(t);
	}
	/* which of them is served first? Is what its tracestate says kept, and its traceparent one? User space will read that */
	if (s->walk.heads > 1 || (sampling_by_state && (seen & HTTP1_SEEN_STATE)) ||
	    (reads_traceparent && (seen & HTTP1_SEEN_ODD_TRACEPARENT)))
		w->known = 0;
	if ((seen & HTTP1_SEEN_CONTEXT) && !(brought && reads_traceparent == 2)) {
		if (!(seen & HTTP1_SEEN_TRACEPARENT) && form_context(c, w))
			return 0;
		w->known = 0;
	}
	if (brought) {
		w->received_context = 1;
		w->sampled = sampling_by_parent ? hex_value(t->text[FLAGS_AT + 1]) & 1 : trace_is_kept(t);
		return 0;
	}
	if (carrying && w->known && (sk ? c->has_base : c->from_start) && carried_context(c, sk, w, c->base[CLEW_INGRESS] + (u32)position))
		return 0;
	if (local_context(c, w, (u32)position))
		return 0;
	put_trace_id(t, new_id(c->id, position, 1), new_id(c->id, position, 2));
	w->sampled = trace_is_kept(t);
	return 0;
}

/* CLEW_RULE_LOOP: from here on the thread acts for that request. */
static __always_inline void begin_turn(struct scratch *s, struct worker *worker, struct work *w)
{
	w->time_ns = s->now_ns;
	w->turn = loop_turn_of(worker->tgid);
	w->used = 0;
	begin_work(worker, w);
}

/* Node.js: the main thread acts for that request in the turn that the call has begun. */
static __always_inline void begin_node_work(struct scratch *s, struct served *v)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &s->tgid);

	v->work.turn = layout ? layout->values[NODE_READ_NUMBER] : 0;
	begin_work(&v->worker, &v->work);
}

/* What its worker sends may be for another request, or for none. */
static __always_inline void request_uncertain(struct served *v)
{
	struct work *w = v && v->counted ? work_of(&v->worker) : NULL;

	if (w)
		w->known = 0;
}

/* It serves requests that the kernel does not follow to whom they are made for: user space may know more about what it sends. */
static __noinline int serves(struct scratch *s)
{
	struct clew_process *p = s ? bpf_map_lookup_elem(&processes, &s->tgid) : NULL;

	if (p && !(p->serves & CLEW_SERVES))
		p->serves |= CLEW_SERVES;
	return 0;
}

/* CLEW_RULE_LOOP: it has read bytes of HTTP/2, and what it does now may be for any of their streams. */
static __noinline int forget_turn(struct scratch *s)
{
	struct clew_process *p = s ? bpf_map_lookup_elem(&processes, &s->tgid) : NULL;
	struct worker worker = {};
	struct work *w;

	if (!p || p->rule != CLEW_RULE_LOOP)
		return 0;
	worker.id = s->tid;
	worker.tgid = s->tgid;
	w = work_of(&worker);
	if (w)
		end_work(&worker, w);
	return 0;
}

/* A server has read the head of a request. */
static __noinline int request_read(struct scratch *s, struct connection *c, struct sock *sk, struct served *v)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &s->tgid);
	u32 begins = c->direction[CLEW_INGRESS].begins;
	bool waits = s->blocking != 0, told;
	struct worker worker = {};
	struct work *w;

	if (!p || !v)
		return 0;
	if (!(p->serves & CLEW_SERVES))
		p->serves |= CLEW_SERVES;
	told = worker_of(s, p, waits, &worker);
	if (waits && !worker.is_goroutine && p->runtime != CLEW_RUNTIME_NODE && !(p->serves & CLEW_WAITS))
		p->serves |= CLEW_WAITS;
	if (!told) {
		stop_counting(v);
		return 0;
	}
	if (p->runtime == CLEW_RUNTIME_NODE) {
		v->worker = worker;
		v->work.connection = c->id;
		read_context(s, c, sk, &v->work, s->position + (s32)(begins - (u32)s->position));
		begin_node_work(s, v);
		return 0;
	}
	if (p->rule == CLEW_RULE_LOOP) {
		v->worker = worker;
		v->work.connection = c->id;
		read_context(s, c, sk, &v->work, s->position + (s32)(begins - (u32)s->position));
		begin_turn(s, &worker, &v->work);
		return 0;
	}
	if (v->counted && v->worker.id == worker.id && v->worker.tgid == worker.tgid) {
		request_uncertain(v); /* behind one that is still to be answered */
		return 0;
	}
	stop_counting(v);
	w = work_of(&worker);
	v->worker = worker;
	v->counted = 1;
	if (w && w->open) {
		w->open++;
		w->ambiguous = 1;
		return 0;
	}
	v->work.connection = c->id;
	v->work.open = 1;
	v->work.ambiguous = 0;
	read_context(s, c, sk, &v->work, s->position + (s32)(begins - (u32)s->position));
	if (begin_work(&worker, &v->work))
		v->counted = 0;
	return 0;
}

/* CLEW_RULE_LOOP, Node.js: its body is there as well, and it is not answered yet. */
static __noinline int request_complete(struct scratch *s, struct served *v)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &s->tgid);

	if (!p || !v || !v->work.connection)
		return 0;
	if (p->rule == CLEW_RULE_LOOP)
		begin_turn(s, &v->worker, &v->work);
	else if (p->runtime == CLEW_RUNTIME_NODE)
		begin_node_work(s, v);
	return 0;
}

/* The head of a response was sent: by another thread, of whatever process, than the one that had read the request? Then no thread of that
 * one's says anything any more. */
static __noinline int response_sent(struct scratch *s, struct served *v)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &s->tgid);

	u64 id = s->tid;

	if (!p || !v || !v->counted || v->worker.is_goroutine)
		return 0;
	if (v->worker.tgid != s->tgid) { /* it was handed on with its socket, over a fork or a Unix socket */
		p = bpf_map_lookup_elem(&processes, &v->worker.tgid);
		if (p)
			p->serves |= CLEW_HANDS_ON;
		return 0;
	}
	if (v->worker.id & VIRTUAL_THREAD) {
		id = virtual_thread(s, p);
		if (!id) /* it hands on where it ends; or its number could not be read this time */
			return 0;
	}
	if (v->worker.id != id)
		p->serves |= CLEW_HANDS_ON;
	else if (p->rule == CLEW_RULE_POOLS && p->own_answers < CLEW_OWN_ANSWERS_MIN)
		p->own_answers++;
	return 0;
}

/* Nobody works for the requests of that connection any more. */
static __always_inline void request_over(struct served *v, u64 connection)
{
	struct work *w;

	if (!v)
		return;
	if (v->counted) {
		stop_counting(v);
		return;
	}
	w = work_of(&v->worker);
	if (w && !w->open && w->connection == connection)
		end_work(&v->worker, w);
}

#endif
