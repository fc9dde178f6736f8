/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The trace context of an encrypted request, in a TCP option (propagation/tcp_option.bpf.h): in sk_msg, before the first of its encrypted
 * bytes leaves, the plaintext is looked at that the library is about to write on this thread.
 * Misses: programs that move the encrypted bytes themselves (Node.js, asyncio), Go, HTTP/2, and kernels whose sk_msg has no storage of
 * tasks.
 */
#ifndef CLEW_BPF_TLS_OPTION_H
#define CLEW_BPF_TLS_OPTION_H

/* The first bytes that were written begin a handshake, by a process whose libraries have probes. */
static __always_inline bool carries_tls(struct scratch *s)
{
	const u8 *record = s->bytes + SCRATCH_HEADROOM;

	return carrying_tls && tls_probed && record[0] == 22 && record[1] == 3;
}

static __noinline int carry_encrypted(struct scratch *s, struct injection *i, struct tcp_sock *tp, struct tls_session *session)
{
	struct http1_direction *d = &session->c.direction[CLEW_EGRESS];
	u64 position = s->position + (s32)(d->begins - (u32)s->position);
	u32 sequence = session->c.base[CLEW_EGRESS] + d->begins;
	struct work *cause = &i->cause;
	int found;

	if (!s->walk.heads || session->c.http.request_direction != 1 + CLEW_EGRESS)
		return 0;
	found = find_cause(s, i, (u64)tp);
	if (!session->c.from_start) { /* the other end counts otherwise */
		leave_alone(s, CLEW_ALONE_MID_STREAM);
	} else if (d->seen & (HTTP1_SEEN_TRACEPARENT | HTTP1_SEEN_CONTEXT)) {
		leave_alone(s, CLEW_ALONE_OWN_CONTEXT);
	} else if (s->walk.heads > 1) {
		leave_alone(s, CLEW_ALONE_PIPELINED);
	} else if (found == CAUSE_UNKNOWN) {
		leave_alone(s, CLEW_ALONE_NO_CONTEXT);
	} else if (d->begins - (u32)s->position >= s->walk.total) {
		leave_alone(s, CLEW_ALONE_HEAD_SPLIT);
	} else {
		if (found != CAUSE_FOUND) {
			put_trace_id(&cause->context, new_id(session->c.id, position, 1), new_id(session->c.id, position, 2));
			cause->sampled = trace_is_kept(&cause->context);
		}
		if (carry_context(s, tp, session->c.id, tp->write_seq, &sequence, &cause->context, cause->sampled,
				  new_id(session->c.id, position, CLIENT_SPAN_ID)))
			s->counters.figures[CLEW_FIGURE_CARRIED_OUT]++;
		else
			leave_alone(s, CLEW_ALONE_SOCKET);
	}
	return 0;
}

/* A piece of what the library writes: the first one of a call shows all of the call's plaintext. */
static __always_inline void encrypted_message(struct scratch *s, struct injection *i, struct tcp_sock *tp, struct connection *c)
{
	struct tls_session *session;
	struct tls_thread *t;
	struct tls_key key;
	int done;

	if (!carrying_tls)
		return;
	t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0);
	if (!t || !c || !t->session || t->is_walked || !(t->flags & CLEW_TLS_EGRESS))
		return;
	key.session = t->session;
	key.tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	key.padding = 0;
	done = tls_note(c, &tp->inet_conn.icsk_inet.sk, 0);
	asm volatile("" : : "r"(done));
	done = tls_sends(s, false);
	asm volatile("" : : "r"(done));
	session = bpf_map_lookup_elem(&tls_sessions, &key);
	if (!session || session->c.http2)
		return;
	done = carry_encrypted(s, i, tp, session);
	asm volatile("" : : "r"(done));
}

#endif
