/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rustls, which moves no encrypted bytes itself: the program receives into the session's buffer, calls the session, which decrypts in place
 * and keeps the plaintext (CommonState::take_received_plaintext); it hands plaintext to the session, which encrypts and keeps it
 * (CommonState::buffer_plaintext), and sends that. Nothing is believed without proof:
 *
 * - what was received came from the socket of the thread's latest receive, and lies in the buffer of that;
 * - what was written goes to the socket of the thread's next send, whether it is taken or not, which ends with a record of just that size.
 *
 * So a session is known by its socket, and where its own address is used again does not matter. Both functions are given the plaintext by
 * the address of an enum of two kinds, whose layout is that of rustls 0.23: Payload {capacity or a mark, bytes, size} and
 * OutboundChunks {0, bytes, size} or {pieces, how many, first, end}. Another layout fails the proof.
 */
#ifndef CLEW_BPF_TLS_RUSTLS_H
#define CLEW_BPF_TLS_RUSTLS_H

#define RUSTLS_BUFFER 0x5000  /* as far ahead of a receive's buffer a record can begin whose end is in it */
#define RUSTLS_FRAGMENT 16384 /* plaintext of a record, but for the last one */
#define RUSTLS_IOV_MAX 1024   /* UIO_MAXIOV */

static __always_inline struct rustls_thread *rustls_thread_of(u64 flags)
{
	return bpf_task_storage_get(&rustls_threads, bpf_get_current_task_btf(), NULL, flags);
}

static __always_inline void rustls_describe(struct tls_socket *socket, const struct connection *c, struct sock *sk)
{
	tls_describe(socket, c, sk);
	socket->from_start = socket->from_start && !rustls_missed;
	socket->is_inside = 1;
}

static __always_inline void rustls_remember(u64 writer, u64 sk)
{
	struct tls_key key = {.session = writer, .tgid = (u32)(bpf_get_current_pid_tgid() >> 32)};
	u64 *known = bpf_map_lookup_elem(&rustls_sockets, &key);

	if (!known || *known != sk)
		bpf_map_update_elem(&rustls_sockets, &key, &sk, BPF_ANY);
}

/* The latest piece of what the thread's call hands to a socket: the sessions' records are in pieces of their own. */
static __always_inline bool rustls_last_piece(struct scratch *s, u64 size, struct user_iovec *piece)
{
	u32 last = s->iov_count - 1;

	piece->base = s->buffer;
	piece->length = size;
	return !s->iov_count ||
	       (last < RUSTLS_IOV_MAX && bpf_probe_read_user(piece, sizeof(*piece), (void *)(s->buffer + 16ull * last)) == 0);
}

/* Is it a record of `plaintext` bytes at its end? With TLS 1.3, 1.2 and AES, 1.2 and ChaCha20. */
static __always_inline bool rustls_is_record(const struct user_iovec *piece, u64 plaintext)
{
	u32 fragment = (u32)((plaintext - 1) % RUSTLS_FRAGMENT) + 1, length, more;
	u8 header[5];

	if (bpf_probe_read_user(header, sizeof(header), (void *)piece->base))
		return false;
	length = (u32)header[3] << 8 | header[4];
	more = length - fragment;
	return header[0] == 23 && header[1] == 3 && header[2] == 3 && piece->length == length + sizeof(header) &&
	       (more == 17 || more == 24 || more == 16);
}

/*
 * The socket that the session's bytes have moved on is not proven. Where it had one before, they leave a hole there: s->sends is that.
 * False: nothing is known of it.
 */
static __always_inline bool rustls_fails(struct scratch *s, u64 session)
{
	struct tls_key key = {.session = session, .tgid = (u32)(bpf_get_current_pid_tgid() >> 32)};
	u64 *known = bpf_map_lookup_elem(&rustls_sockets, &key);

	lose(s, CLEW_LOSS_TLS_SOCKET, 1);
	rustls_missed = 1;
	if (!known)
		return false;
	s->sends.sk = *known;
	key.session = *known;
	return bpf_map_lookup_elem(&tls_sessions, &key) != NULL;
}

/* What a thread has written goes to the socket of its next send, which rustls_note() has looked at. False: it is not known. */
static __always_inline bool rustls_sends(struct scratch *s, struct tls_call *call)
{
	struct rustls_thread *r = rustls_thread_of(0);
	u64 writer;

	if (!r || !r->writer)
		return false;
	writer = r->writer;
	r->writer = 0;
	call->moved = (s64)r->moved;
	call->flags = CLEW_TLS_EGRESS | CLEW_TLS_RUSTLS;
	if (s->sends.sk) {
		rustls_remember(writer, s->sends.sk);
		call->is_unseen = r->count >= RUSTLS_CHUNKS;
	} else {
		if (!rustls_fails(s, writer))
			return false;
		call->is_unseen = true;
	}
	call->session = s->sends.sk;
	call->buffer = r->chunks[0].base;
	if (r->count > 1) {
		call->chunks = r->count;
		__builtin_memcpy(s->chunks, r->chunks, sizeof(s->chunks));
	}
	return true;
}

/* What the thread receives, whose buffer is found already. */
static __noinline int rustls_receives(struct scratch *s, struct connection *c, struct sock *sk, u32 moved)
{
	struct rustls_thread *r = rustls_thread_of(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!r || !c)
		return 0;
	r->received.sk = 0;
	if (s->iov_count)
		return 0;
	rustls_describe(&r->received, c, sk);
	r->received.blocking = (u8)s->blocking;
	r->received_at = s->buffer;
	r->received_size = moved;
	return 1;
}

/* A connection that was open before: from a call on that begins with a record's header its bytes are known to be encrypted. */
static __noinline int rustls_meets(struct scratch *s, struct connection *c, struct sock *sk, u32 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct user_iovec piece;
	u8 header[3];

	if (!s || !c || (c->direction[0].state == HTTP1_OPAQUE && c->direction[1].state == HTTP1_OPAQUE))
		return 0;
	if ((task->thread_info.status & TS_COMPAT) || !is_call_on(task, regs, sk) ||
	    find_buffer(s, c, direction & 1, regs->orig_ax, regs->si, regs->dx))
		return 0;
	piece.base = s->buffer;
	if (s->iov_count && bpf_probe_read_user(&piece, sizeof(piece), (void *)s->buffer))
		return 0;
	if (bpf_probe_read_user(header, sizeof(header), (void *)piece.base) || header[0] < 20 || header[0] > 23 || header[1] != 3 ||
	    header[2] > 4)
		return 0;
	c->direction[0].state = HTTP1_OPAQUE;
	c->direction[1].state = HTTP1_OPAQUE;
	return 1;
}

/*
 * A socket call of a process with rustls on a connection that is known to be encrypted; `moved` 0 or less: nothing was. 3: it is the send
 * that follows a write of the thread; s->sends says on which socket, if it is proven.
 */
static __noinline int rustls_note(struct scratch *s, struct connection *c, struct sock *sk, int moved, u32 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct rustls_thread *r = rustls_thread_of(BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct user_iovec piece;
	bool readable;

	if (!r || !c)
		return 1;
	readable = !(task->thread_info.status & TS_COMPAT) && is_call_on(task, regs, sk) &&
		   find_buffer(s, c, direction & 1, regs->orig_ax, regs->si, regs->dx) == 0;
	if (direction == CLEW_INGRESS) {
		r->received.sk = 0;
		if (readable)
			rustls_receives(s, c, sk, (u32)moved);
		return 1;
	}
	if (!r->writer)
		return 1;
	s->sends.sk = 0;
	if (readable && rustls_last_piece(s, regs->dx, &piece) && rustls_is_record(&piece, r->latest)) {
		rustls_describe(&s->sends, c, sk);
		s->sends.blocking = (u8)s->blocking;
	}
	return 3;
}

/* Takes the pieces of a description behind those that are there. */
static __always_inline bool rustls_take(struct rustls_thread *r, const u64 *words)
{
	u32 from = r->count & (RUSTLS_CHUNKS - 1), n = (u32)words[1] & (RUSTLS_CHUNKS - 1);

	if (r->count >= RUSTLS_CHUNKS - 1)
		return false;
	if (!words[0]) {
		r->chunks[from].base = words[1];
		r->chunks[from].length = words[2];
		r->count = from + 1;
		return true;
	}
	if (words[1] >= RUSTLS_CHUNKS - from)
		return false;
	r->count = from + n;
	return bpf_probe_read_user(&r->chunks[from], n * sizeof(struct user_iovec), (void *)words[0]) == 0;
}

/* The beginning of buffer_plaintext(session, chunks): keeps where the plaintext lies, which is there until it has been sent. */
static __always_inline void rustls_writes(struct scratch *s, u64 session, u64 description)
{
	struct rustls_thread *r = rustls_thread_of(BPF_LOCAL_STORAGE_GET_F_CREATE);
	u64 words[3];

	if (!r || bpf_probe_read_user(words, sizeof(words), (void *)description))
		return;
	if (r->writer != session) {
		if (r->writer) { /* and that was not sent: nobody does so */
			lose(s, CLEW_LOSS_TLS_SOCKET, 1);
			rustls_missed = 1;
		}
		r->writer = 0;
		r->moved = 0;
		r->count = 0;
	}
	r->writing = session;
	r->before = r->count;
	if (!rustls_take(r, words))
		r->count = RUSTLS_CHUNKS;
}

/* Its return: what it has taken of them. */
static __always_inline void rustls_written(u64 taken)
{
	struct rustls_thread *r = rustls_thread_of(0);

	if (!r || !r->writing)
		return;
	if (taken)
		r->latest = taken;
	r->moved += taken;
	for (u32 i = 0; i < RUSTLS_CHUNKS; i++) {
		if (i < r->before || i >= r->count)
			continue;
		if (r->chunks[i].length > taken)
			r->chunks[i].length = taken;
		taken -= r->chunks[i].length;
	}
	if (r->moved)
		r->writer = r->writing;
	r->writing = 0;
}

/* The beginning of take_received_plaintext(session, payload). False: nothing is to be shown. */
static __always_inline bool rustls_reads(struct scratch *s, u64 session, u64 description, struct tls_call *call)
{
	struct rustls_thread *r = rustls_thread_of(0);
	u64 words[3];

	if (!r || bpf_probe_read_user(words, sizeof(words), (void *)description) || !words[2])
		return false;
	call->buffer = words[1];
	call->moved = (s64)words[2];
	if (r->received.sk && words[2] <= RUSTLS_FRAGMENT && words[1] + RUSTLS_BUFFER >= r->received_at &&
	    words[1] + words[2] <= r->received_at + r->received_size) {
		s->sends = r->received;
		rustls_remember(session, s->sends.sk);
	} else {
		if (!rustls_fails(s, session))
			return false;
		call->is_unseen = true;
	}
	call->session = s->sends.sk;
	return true;
}

#endif
