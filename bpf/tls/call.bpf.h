/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Plaintext that a TLS library has moved: to its session's stream, and through the same walk as the bytes of a socket. */
#ifndef CLEW_BPF_TLS_CALL_H
#define CLEW_BPF_TLS_CALL_H

struct tls_call {
	u64 session;
	u64 buffer;
	s64 moved;
	u32 flags;			 /* enum clew_tls_flag */
	u32 chunks;			 /* its bytes lie in so many of scratch.chunks, 0: in the buffer */
	bool is_unseen;			 /* they are not to be had any more */
	const struct tls_socket *inside; /* its socket by proof, or NULL */
	struct tls_socket *received;	 /* … if it reads what the thread has received last, or NULL */
	u64 received_at;		 /* where that was put */
	const struct tls_socket *latest; /* … if that is the one whose descriptor the session has, or NULL */
};

/* A probe's program can be interrupted by another task's on the same CPU: each takes a work space that is free. */
static __always_inline struct scratch *tls_take_scratch(void)
{
	struct scratch *s = take_scratch(SCRATCH_TLS, SCRATCH_TLS_USERS);

	if (s)
		return s;
	s = scratch_of(SCRATCH_PROBE);
	if (s)
		lose(s, CLEW_LOSS_TLS_BUSY, 1);
	return NULL;
}

/* Bytes of a session whose socket is not known: its positions are not those of the other end any more. */
static __always_inline void tls_miss(struct scratch *s, const struct tls_key *key)
{
	u8 yes = 1;

	lose(s, CLEW_LOSS_TLS_SOCKET, 1);
	bpf_map_update_elem(&tls_missed, key, &yes, BPF_ANY);
}

/* Its connection, begun now if need be. NULL: not known. */
static __always_inline struct tls_session *tls_find(struct scratch *s, struct tls_key *key, const struct tls_call *call)
{
	struct tls_session *session = bpf_map_lookup_elem(&tls_sessions, key);
	const struct tls_socket *socket = call->inside;
	u32 missed = 0;

	if (session && call->inside && call->inside->sk != session->sk) { /* the session is used again, on another socket */
		tls_forget(key, session->sk);
		session = NULL;
		missed = 1;
	}
	if (session)
		return session;
	if (bpf_map_lookup_elem(&tls_missed, key))
		missed = 1;
	if (!socket && (call->flags & CLEW_TLS_BY_BIO))
		socket = tls_by_bio(key);
	if (!socket && call->received && tls_reads_from(key, call->received_at))
		socket = call->received;
	if (!socket && call->latest && tls_has_descriptor(key, call->latest->sk))
		socket = call->latest;
	if (socket) {
		if (missed)
			bpf_map_delete_elem(&tls_missed, key);
		session = tls_begin(s, key, socket, missed);
		if (call->received && call->received->sk == socket->sk) /* it has read that */
			call->received->sk = 0;
		return session;
	}
	if (call->moved > 0 && !missed)
		tls_miss(s, key);
	return NULL;
}

/* A write that is looked at before it is known how much of it is taken: the rest comes again. rustls has said so before. */
static __always_inline bool tls_may_be_tried_again(u32 flags)
{
	return (flags & (CLEW_TLS_EGRESS | CLEW_TLS_RUSTLS)) == CLEW_TLS_EGRESS;
}

/* Looks at the bytes of the call behind those that were looked at before. Returns the address of its socket, 0: not known. */
static __always_inline u64 tls_walk(struct scratch *s, const struct tls_call *call, u64 pid_tgid)
{
	struct tls_key key = {.session = call->session, .tgid = (u32)(pid_tgid >> 32)};
	struct tls_session *session = tls_find(s, &key, call);
	struct clew_process *p;
	u32 moved, ahead;
	u64 sk;

	if (!session)
		return 0;
	sk = session->sk;
	if (call->moved <= 0 || call->moved > 0x7fffffff)
		return sk;
	moved = (u32)call->moved;
	ahead = tls_may_be_tried_again(call->flags) ? session->ahead : 0;
	if (moved <= ahead)
		return sk;
	if (tls_may_be_tried_again(call->flags))
		session->ahead = moved;
	if (session->c.epoch != selection_epoch) {
		p = bpf_map_lookup_elem(&processes, &key.tgid);
		if (!p)
			return sk;
		session->c.runtime = (u8)p->runtime;
		session->c.epoch = selection_epoch;
	}
	if (!session->c.announced && (call->flags & CLEW_TLS_OPENSSL))
		session->c.tls_version = tls_version_of(call->session);
	if (call->inside)
		session->blocking = call->inside->blocking;
	s->counters.figures[CLEW_FIGURE_TLS_CALLS]++;
	s->blocking = session->blocking;
	s->buffer = call->buffer + ahead;
	s->iov_count = call->chunks;
	s->iov_copied = call->chunks != 0;
	s->iov_index = 0;
	s->iov_offset = 0;
	handle_call(s, &session->c, (struct sock *)session->sk, call->flags & CLEW_TLS_EGRESS, moved - ahead, 0, !call->is_unseen, NULL,
		    pid_tgid, NULL, true, (struct served *)session->served);
	s->iov_copied = 0; /* of no other call */
	return sk;
}

#include "rustls.bpf.h"

/* What a library in C is about to send, by this socket call within its own. How much it will say it has taken: see tls_taken(). */
static __always_inline bool tls_sends_in_c(struct scratch *s, struct tls_call *call)
{
	struct tls_thread *t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0);

	if (!t || !t->session || t->is_walked || !(t->flags & CLEW_TLS_EGRESS))
		return false;
	t->is_walked = 1;
	s->sends = t->inside;
	call->session = t->session;
	call->buffer = t->buffer;
	call->moved = (s64)t->size;
	call->flags = t->flags;
	return true;
}

/*
 * A socket's send of what was written to a session, before the bytes of that socket are looked at: the request has to be known before the
 * other end can act on it.
 */
static __noinline int tls_sends(struct scratch *s, u32 by_rustls)
{
	struct tls_call call = {.inside = &s->sends};

	if (by_rustls ? rustls_sends(s, &call) : tls_sends_in_c(s, &call))
		tls_walk(s, &call, bpf_get_current_pid_tgid());
	return 1;
}

/* What was looked at and not taken is tried again, by the same bytes: so the libraries want it. */
static __always_inline void tls_taken(u64 session, u64 pid_tgid, s64 moved)
{
	struct tls_key key = {.session = session, .tgid = (u32)(pid_tgid >> 32)};
	struct tls_session *found = bpf_map_lookup_elem(&tls_sessions, &key);

	if (found && moved > 0)
		found->ahead = moved < found->ahead ? found->ahead - (u32)moved : 0;
}

#endif
