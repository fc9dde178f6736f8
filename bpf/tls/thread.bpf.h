/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which socket a TLS library's call is about. A socket call that happens inside of the library's call is on the session's socket. Where the
 * program itself moves the encrypted bytes, the bytes prove it: what is written to a BIO was received from that socket, and the session has
 * that BIO, or one end of a pair of which it is the other (Python, Asio, gRPC); or they were received into the buffer of the BIO that the
 * session reads from (Node.js). Once known it is kept with the session.
 */
#ifndef CLEW_BPF_TLS_THREAD_H
#define CLEW_BPF_TLS_THREAD_H

/*
 * What a probe's cookie says of its function, if it counts in this process. Probes that a file has for all fire in every process that runs
 * it; in those that have their own, these count.
 */
static __always_inline bool tls_counts(u64 cookie, u32 tgid, u32 *flags)
{
	u32 file = (u32)(cookie >> CLEW_TLS_FILE_SHIFT) & 31;
	struct clew_process *p;

	*flags = (u32)cookie & ((1u << CLEW_TLS_FILE_SHIFT) - 1);
	if (!file)
		return true;
	p = maybe_selected(tgid) ? bpf_map_lookup_elem(&processes, &tgid) : NULL;
	if (!p || !(p->tls_shared >> file & 1))
		return false;
	if (p->tls & CLEW_TLS_MOVES)
		*flags |= CLEW_TLS_BY_BIO;
	return true;
}

/* Bit of the direction in which bytes moved last before this call: where the middle of a message may be. */
static __always_inline u8 tls_under_way(const struct connection *c)
{
	if (!c->last_time_ns[0] && !c->last_time_ns[1])
		return c->http.distrusted;
	return c->last_time_ns[1] > c->last_time_ns[0] ? 1 << CLEW_EGRESS : 1 << CLEW_INGRESS;
}

/* The connection is of that process now. One that has begun with a handshake before the process had probes keeps what it carries to itself:
 * that is counted, once. */
static __noinline int tls_follow(struct scratch *s, struct connection *c, const struct clew_process *p, u32 tgid)
{
	if (!s || !c || !p)
		return 0;
	if (c->handshake && c->tgid == tgid && !c->tls_since_ns && p->tls_since_ns)
		lose(s, CLEW_LOSS_TLS_LATE, 1);
	if (c->tgid && c->tgid != tgid)
		c->tls_forked = c->tls_since_ns && p->tls_since_ns;
	c->tls_coming = (u8)p->tls_coming;
	c->tls_since_ns = p->tls_since_ns;
	return 1;
}

static __always_inline void tls_describe(struct tls_socket *socket, const struct connection *c, struct sock *sk)
{
	socket->sk = (u64)sk;
	socket->id = c->id;
	socket->base[0] = c->base[0];
	socket->base[1] = c->base[1];
	socket->from_start = c->from_start && c->began_ns >= c->tls_since_ns;
	socket->under_way = tls_under_way(c);
	socket->accepted = c->accepted;
	socket->forked = c->tls_forked == 1;
}

/* Go's sessions name their sockets themselves. */
static __noinline int tls_note_go(struct scratch *s, struct connection *c, struct sock *sk)
{
	struct tls_socket socket = {};

	if (!s || !c)
		return 0;
	tls_describe(&socket, c, sk);
	if (bpf_map_update_elem(&tls_go_sockets, &socket.sk, &socket, BPF_ANY))
		lose(s, CLEW_LOSS_TLS_SESSIONS, 1); /* as if it had been open already: its first request is passed over */
	return 1;
}

#define TLS_STACK_MAX (8 << 20) /* of a thread; another one's lies further away */

/* A socket call of a process whose TLS libraries have probes, before its bytes are looked at. True: within a call of the library. */
static __noinline int tls_note(struct connection *c, struct sock *sk, u32 blocking)
{
	struct tls_thread *t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t || !c || !t->session)
		return 0;
	if (((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()))->sp - t->stack - 1 < TLS_STACK_MAX) {
		t->session = 0; /* left by a jump (siglongjmp, an exception): that call is over */
		return 0;
	}
	/* what comes by the library's own calls is never HTTP on the wire, or the library has left it to the kernel (kTLS) */
	c->direction[0].state = HTTP1_OPAQUE;
	c->direction[1].state = HTTP1_OPAQUE;
	c->handshake = 1;
	if (t->inside.sk)
		return 1;
	tls_describe(&t->inside, c, sk);
	t->inside.blocking = (u8)blocking;
	t->inside.is_inside = 1;
	return 1;
}

#define TLS_RECORD_BYTES 32 /* header and more than anybody can guess */

static __always_inline u64 tls_mix(const u64 *words, u32 tgid)
{
	u64 sum = tgid;

#pragma unroll
	for (u32 i = 0; i < TLS_RECORD_BYTES / sizeof(u64); i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return sum ^ sum >> 29;
}

/*
 * A receive of a socket without session that is not within a call whose beginning has a probe. Are these the first bytes of a record? Then
 * the program may hand them to the library.
 */
static __noinline int tls_received(struct scratch *s, struct connection *c, struct sock *sk, u32 moved)
{
	struct tls_thread *t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0);
	const u64 *words = (const u64 *)(s->bytes + SCRATCH_HEADROOM);
	const u8 *record = s->bytes + SCRATCH_HEADROOM;
	struct user_iovec *piece = s->chunks; /* not on the stack, which is full on 6.1 */
	u64 key;

	if (!t || !c || t->session)
		return 0;
	tls_describe(&t->latest, c, sk);
	t->latest.blocking = (u8)s->blocking;
	t->latest.is_inside = 1;
	if (moved < TLS_RECORD_BYTES)
		return 0;
	piece->base = s->buffer;
	if (s->iov_count && (bpf_probe_read_user(piece, sizeof(*piece), (void *)s->buffer) || piece->length < TLS_RECORD_BYTES))
		return 0;
	if (bpf_probe_read_user(s->bytes + SCRATCH_HEADROOM, TLS_RECORD_BYTES, (void *)piece->base))
		return 0;
	if (record[0] < 20 || record[0] > 23 || record[1] != 3 || record[2] > 4)
		return 0;
	t->received_at = piece->base;
	tls_describe(&t->received, c, sk);
	t->received.blocking = (u8)s->blocking;
	t->received.is_inside = 0;
	key = tls_mix(words, (u32)(bpf_get_current_pid_tgid() >> 32));
	bpf_map_update_elem(&tls_records, &key, &t->received, BPF_ANY);
	return 1;
}

/*
 * A call of CPython's that moves encrypted bytes. uvloop receives in no context, and runs the callbacks of all its TLS connections in one:
 * whose request is read there, that context does not say.
 */
static __noinline int tls_note_python(u32 tgid, u32 direction)
{
	struct tls_thread *t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0);
	struct clew_runtime_layout *layout;
	u64 context;

	if (!t)
		return 0;
	t->moved_since = 1;
	if (direction != CLEW_INGRESS)
		return 0;
	layout = bpf_map_lookup_elem(&runtimes, &tgid);
	t->received_outside = layout && cpython_current(layout, &context) && !context;
	return 1;
}

/* The same three for the sys_exit backend, whose stack has no room: s->readable is set. */
static __noinline int tls_on_exit(struct scratch *s, struct connection *c, struct sock *sk, u32 moved, u32 direction)
{
	if (!s || !c || !c->tls_since_ns || !c->has_base)
		return 0;
	if (!tls_note(c, sk, s->blocking) && direction == CLEW_INGRESS && s->readable)
		tls_received(s, c, sk, moved);
	if (c->runtime == CLEW_RUNTIME_CPYTHON)
		tls_note_python(c->tgid, direction);
	return 1;
}

#endif
