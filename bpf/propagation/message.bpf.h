/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A message that a client is about to send, walked by http1/framing.h: at the end of each request's head it is decided whether the request
 * is given a trace context, and which. What is in doubt is left alone, and counted.
 */
#ifndef CLEW_BPF_MESSAGE_H
#define CLEW_BPF_MESSAGE_H

/* Copies up to a window of the message from `offset` on. Returns how many bytes, or -1. */
static __noinline int read_message(struct message_call *call, u32 offset)
{
	struct scratch *s = call->call.s;
	u32 n = s->walk.total - offset;

	if (n > CLEW_WINDOW)
		n = CLEW_WINDOW;
	if (bpf_msg_pull_data(call->message, offset, offset + n, 0))
		return -1;
	if (bpf_probe_read_kernel(s->bytes + SCRATCH_HEADROOM, n, call->message->data))
		return -1;
	return (int)n;
}

enum cause {
	CAUSE_UNKNOWN = 0, /* user space may know better */
	CAUSE_NONE = 1,	   /* the program sends it of its own accord */
	CAUSE_FOUND = 2,   /* i->cause */
};

/* CLEW_RULE_LOOP: what the thread does now is done for the request of its turn, once. */
static __always_inline bool take_turn(const struct worker *worker, struct work *w, u64 now_ns)
{
	if (w->used || now_ns - w->time_ns > LOOP_TURN_NS_MAX || w->turn != loop_turn_of(worker->tgid))
		return false;
	w->used = 1;
	return true;
}

/* Node.js: what the main thread does now is done for the request that the latest read has brought, if it has brought one alone. */
static __noinline int node_serves(struct scratch *s, struct worker *worker, struct work *w)
{
	struct clew_runtime_layout *layout;

	if (!s || !worker || !w)
		return false;
	layout = bpf_map_lookup_elem(&runtimes, &worker->tgid);
	return layout && w->known && w->turn && w->turn == layout->values[NODE_READ_NUMBER] &&
	       node_acts_for_latest(s, &s->execution, layout);
}

/* For which request is this one sent? As class Execution of agent/correlation/execution will say. */
static __noinline int find_cause(struct scratch *s, struct injection *i, u64 socket)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &s->tgid);
	struct go_caller *caller;
	struct worker worker = {};
	struct work *w;

	if (!p)
		return CAUSE_UNKNOWN;
	if (i->begun) {
		i->begun = 0;
		return i->cause.known ? CAUSE_FOUND : CAUSE_UNKNOWN;
	}
	i->has_cause = 0;
	if (!worker_of(s, p, true, &worker))
		return p->serves ? CAUSE_UNKNOWN : CAUSE_NONE;
	if (worker.is_goroutine && go_probed) {
		caller = bpf_map_lookup_elem(&go_callers, &socket);
		if (caller && caller->tgid == s->tgid)
			worker.id = caller->goid;
	}
	w = work_of(&worker);
	if (!w) /* a thread that waits for no request works for none; of a goroutine, user space may know who has started it */
		return !p->serves || ((p->serves & CLEW_WAITS) && p->runtime == CLEW_RUNTIME_NONE && p->rule == CLEW_RULE_THREADS)
			       ? CAUSE_NONE
			       : CAUSE_UNKNOWN;
	if (p->rule == CLEW_RULE_LOOP && !take_turn(&worker, w, s->now_ns))
		return CAUSE_UNKNOWN;
	if (p->rule == CLEW_RULE_POOLS && p->own_answers < CLEW_OWN_ANSWERS_MIN)
		return CAUSE_UNKNOWN;
	if (p->runtime == CLEW_RUNTIME_NODE && !node_serves(s, &worker, w))
		return CAUSE_UNKNOWN;
	if (!w->known || w->ambiguous)
		return CAUSE_UNKNOWN;
	i->cause = *w;
	i->has_cause = 1;
	return CAUSE_FOUND;
}

/* A traced client has sent the head of a request that was not injected into. Whom it asks may be traced here, too. */
static __noinline int sent_uninjected(struct scratch *s, struct connection *c, struct injection *i, u64 socket)
{
	struct wire wire = {.requests = c->base[CLEW_EGRESS], .responses = c->base[CLEW_INGRESS]};
	struct local_client *client = (struct local_client *)s->local_client;
	u32 begins = c->direction[CLEW_EGRESS].begins;
	u64 position = s->position + (s32)(begins - (u32)s->position);
	int found = CAUSE_UNKNOWN;

	if (i && i->state == INJECTION_LEAVES)
		found = find_cause(s, i, socket);
	if (c->direction[CLEW_EGRESS].seen & (HTTP1_SEEN_TRACEPARENT | HTTP1_SEEN_CONTEXT))
		return 0;
	if (!i || (i->once && i->state == INJECTION_LEAVES))
		s->counters.left_alone[CLEW_ALONE_LET_GO] += s->walk.heads;
	if (s->walk.heads > 1)
		found = CAUSE_UNKNOWN;
	client->begins = begins;
	client->known = found != CAUSE_UNKNOWN;
	if (found == CAUSE_FOUND) {
		client->sampled = i->cause.sampled;
		__builtin_memcpy(client->context.text, i->cause.context.text, sizeof(client->context.text));
	} else if (found == CAUSE_NONE) {
		put_trace_id(&client->context, new_id(c->id, position, 1), new_id(c->id, position, 2));
		client->sampled = trace_is_kept(&client->context);
	}
	bpf_map_update_elem(&local_clients, &wire, client, BPF_ANY);
	return 0;
}

/* A selected process connects: what it sends there first belongs to what its thread does now, if that is a loop. */
static __noinline int begin_injection(struct scratch *s, struct clew_process *p, struct sock *sk, u64 pid_tgid)
{
	struct injection *i = bpf_sk_storage_get(&injections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct worker worker = {.id = (u32)pid_tgid, .tgid = (u32)(pid_tgid >> 32)};
	struct work *w;

	if (!i) {
		leave_alone(s, CLEW_ALONE_SOCKET);
		return 0;
	}
	i->id = bpf_get_socket_cookie(sk);
	i->tgid = worker.tgid;
	i->once = p->once != 0;
	if (p->rule != CLEW_RULE_LOOP && p->runtime != CLEW_RUNTIME_NODE)
		return 0;
	if (p->rule == CLEW_RULE_LOOP)
		i->begun = 1; /* whatever its loop does when it sends there first */
	w = work_of(&worker);
	if (!w || !(p->runtime == CLEW_RUNTIME_NODE ? node_serves(s, &worker, w) : take_turn(&worker, w, bpf_ktime_get_ns())))
		return 0;
	i->cause = *w;
	i->has_cause = 1;
	i->begun = 1;
	return 0;
}

static __always_inline u64 random64(void)
{
	u64 r = (u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();

	return r ? r : 1;
}

/* The text of a request's own line, with the trace of its cause or a new one. */
static __always_inline void write_line(u8 *line, struct work *cause, int found)
{
	struct traceparent *t = (struct traceparent *)(line + INJECTED_NAME);
	u8 flags;

	if (found != CAUSE_FOUND) {
		put_trace_id(&cause->context, random64(), random64());
		cause->sampled = trace_is_kept(&cause->context);
		cause->received_context = 0;
	}
	__builtin_memcpy(line, "traceparent: ", INJECTED_NAME);
	__builtin_memcpy(t->text, cause->context.text, HTTP1_TRACEPARENT);
	t->text[0] = t->text[1] = '0';
	put_hex(t->text + PARENT_ID_AT, random64());
	flags = (cause->received_context ? hex_value(cause->context.text[FLAGS_AT + 1]) & 2 : 0) | (cause->sampled ? 1 : 0);
	t->text[PARENT_ID_AT - 1] = '-';
	t->text[FLAGS_AT - 1] = '-';
	t->text[FLAGS_AT] = '0';
	t->text[FLAGS_AT + 1] = '0' + flags;
	__builtin_memcpy(line + INJECTED_NAME + HTTP1_TRACEPARENT, "\r\n\r\n", 4);
}

/* A context that the application itself sends: overwritten only where it is the very one that its request has brought. */
static __noinline int consider_update(struct scratch *s, struct injection *i, int found)
{
	struct http1_direction *d = &i->direction[1];
	struct work *cause = &i->cause;
	u64 *sent = (u64 *)i->http.traceparent, *brought = (u64 *)cause->context.text;
	u32 at = i->http.traceparent_at - s->walk.origin;
	u64 different = 0;

	if (found != CAUSE_FOUND || !cause->received_context || (d->seen & HTTP1_SEEN_CONTEXT)) {
		leave_alone(s, CLEW_ALONE_OWN_CONTEXT);
		return 0;
	}
	for (u32 k = 0; k < 6; k++)
		different |= sent[k] ^ brought[k];
	different |= (sent[6] ^ brought[6]) << 8; /* 55 bytes */
	if (different) {
		leave_alone(s, CLEW_ALONE_OWN_CONTEXT);
	} else if (at > s->walk.offset || s->insertions || s->update_at != HTTP1_NO_CAPTURE || i->made - i->taken >= INSERTIONS) {
		leave_alone(s, at > s->walk.offset ? CLEW_ALONE_HEAD_SPLIT : CLEW_ALONE_PIPELINED);
	} else {
		s->update_at = at + PARENT_ID_AT;
		s->update_end = s->walk.offset - 2;
		put_hex(s->update_text, new_id(i->id, s->position + (s32)(d->begins - s->walk.origin), CLIENT_SPAN_ID));
	}
	return 0;
}

/* The request's context goes beside its first byte, which is among those that are sent now; else it is left alone. */
static __noinline int consider_option(struct scratch *s, struct injection *i, struct sock *sk, int found)
{
	struct http1_direction *d = &i->direction[1];
	struct work *cause = &i->cause;
	u64 position = s->position + (s32)(d->begins - s->walk.origin);

	if (d->seen & (HTTP1_SEEN_TRACEPARENT | HTTP1_SEEN_CONTEXT)) {
		leave_alone(s, CLEW_ALONE_OWN_CONTEXT);
		return 0;
	}
	if (found == CAUSE_UNKNOWN) {
		leave_alone(s, CLEW_ALONE_NO_CONTEXT);
		return 0;
	}
	if (d->begins - s->walk.origin >= s->walk.total) {
		leave_alone(s, CLEW_ALONE_HEAD_SPLIT);
		return 0;
	}
	if (found != CAUSE_FOUND) {
		put_trace_id(&cause->context, new_id(i->id, position, 1), new_id(i->id, position, 2));
		cause->sampled = trace_is_kept(&cause->context);
	}
	if (carry_context(s, sk, i->id, d->begins, NULL, &cause->context, cause->sampled, new_id(i->id, position, CLIENT_SPAN_ID)))
		s->counters.figures[CLEW_FIGURE_CARRIED_OUT]++;
	else
		leave_alone(s, CLEW_ALONE_SOCKET);
	return 0;
}

/* Will capture be able to read this call? Else no span would have the id that is sent. */
static __always_inline bool is_readable_call(struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (task->thread_info.status & TS_COMPAT)
		return false;
	switch (regs->orig_ax) {
	case NR_write:
	case NR_writev:
	case NR_pwritev2:
	case NR_sendto:
	case NR_sendmsg:
	case NR_sendmmsg:
		return is_call_on(task, regs, sk);
	}
	return false; /* sendfile, splice, a ring */
}

#define HEAD_FIELDS_MAX 64 /* a server takes 100 (Apache, gunicorn, Tomcat), and proxies add some */
#define HEAD_LIMITS 4096   /* what servers take of a head is a multiple of that (uWSGI 4 KiB, Tomcat 8, Node.js 16) … */
#define HEAD_UNSURE 64	   /* … counted with or without its start line's parts, and the four bytes around each field's value */

/* Would the head come over a limit that it now is below? */
static __always_inline bool is_too_long(const struct http1_direction *d, u32 length)
{
	u32 least = length - 4 * (u32)d->fields - HEAD_UNSURE, most = length + INJECTED_BYTES + HEAD_UNSURE;

	return d->fields >= HEAD_FIELDS_MAX || (most >= HEAD_LIMITS && least / HEAD_LIMITS != most / HEAD_LIMITS);
}

static __noinline int message_head_ended(struct http1_view *v)
{
	struct call *call = v->environment;
	struct scratch *s = call->s;
	struct injection *i = call->i;
	struct http1_direction *d = &i->direction[1];
	struct http1_walk *w = &s->walk;
	u64 socket = (u64)call->sk;
	u32 n = s->insertions;
	int found;

	if (s->leave)
		return 0;
	if (d->seen & HTTP1_SEEN_ODD || d->flags & HTTP1_RESPONSE) {
		s->leave = 1 + CLEW_ALONE_FRAMING;
		return 0;
	}
	if (d->flags & HTTP1_IS_CONNECT) {
		s->leave = 1 + CLEW_ALONE_UPGRADE;
		return 0;
	}
	if (i->upgrading) { /* sent before it was known whether the other protocol is spoken from here on */
		s->leave = 1 + CLEW_ALONE_UPGRADE;
		return 0;
	}
	if (d->seen & HTTP1_SEEN_UPGRADE)
		i->upgrading = 1;
	found = find_cause(s, i, socket); /* once for each request, whatever becomes of it */
	if (!is_readable_call(call->sk)) {
		leave_alone(s, CLEW_ALONE_NO_CONTEXT);
		return 0;
	}
	if (!injecting_header)
		return consider_option(s, i, call->sk, found);
	if (w->offset < 2 || w->offset - w->line_start != 2) {
		leave_alone(s, CLEW_ALONE_HEAD_SPLIT);
		return 0;
	}
	if (d->seen & (HTTP1_SEEN_TRACEPARENT | HTTP1_SEEN_CONTEXT))
		return consider_update(s, i, found);
	if (is_too_long(d, w->origin + w->offset - d->begins)) {
		leave_alone(s, CLEW_ALONE_TOO_LONG);
		return 0;
	}
	if (n >= INSERTIONS_AT_ONCE || s->update_at != HTTP1_NO_CAPTURE || i->made - i->taken + n >= INSERTIONS) {
		leave_alone(s, CLEW_ALONE_PIPELINED);
		return 0;
	}
	if (found == CAUSE_UNKNOWN) {
		leave_alone(s, CLEW_ALONE_NO_CONTEXT);
		return 0;
	}
	n &= INSERTIONS_AT_ONCE - 1;
	write_line(s->insert_text[n], &i->cause, found);
	s->insert_at[n] = w->offset - 2;
	s->insertions = n + 1;
	return 0;
}

#endif
