/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobes in single processes, or in a file for all that run it (attached by user space, agent/tls) on the read and write functions of TLS
 * libraries in C: session, buffer, size. Why here: it is the one place where plaintext can be seen, and the functions are the libraries'
 * interface. Both at the beginning, where the arguments are, and at the return, where it is known how much was moved: a write may be taken
 * in part, or be tried again. Misses: libraries whose functions nobody names (stripped and static), what a library moves by other functions
 * (SSL_sendfile).
 */

SEC("uprobe")
int uprobe__tls_call(struct pt_regs *regs)
{
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct tls_thread *t;
	u32 flags;

	OWN_STACK(regs, no_probe);
	if (!tls_counts(bpf_get_attach_cookie(regs), (u32)(bpf_get_current_pid_tgid() >> 32), &flags))
		return 0;
	if (s)
		s->counters.figures[CLEW_FIGURE_PROBES]++;
	t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t)
		return 0;
	t->session = regs->di;
	t->buffer = regs->si;
	t->moved_at = regs->cx;
	t->stack = regs->sp;
	t->flags = flags;
	t->size = t->flags & (CLEW_TLS_BY_POINTER | CLEW_TLS_LONG) ? regs->dx : (u32)regs->dx;
	t->is_walked = 0;
	t->inside.sk = 0;
	return 0;
}

/* How many bytes the call has moved; 0 or less: none. */
static __always_inline s64 tls_result(struct pt_regs *regs, const struct tls_thread *t, u64 flags)
{
	u64 moved = 0;

	if (flags & CLEW_TLS_NO_DATA)
		return 0;
	if (flags & CLEW_TLS_LONG)
		return (s64)regs->ax;
	if (!(flags & CLEW_TLS_BY_POINTER) || (s32)regs->ax <= 0)
		return (s32)regs->ax;
	if (bpf_probe_read_user(&moved, sizeof(moved), (void *)t->moved_at) || moved > 0x7fffffff)
		return 0;
	return (s64)moved;
}

SEC("uretprobe")
int uretprobe__tls_call(struct pt_regs *regs)
{
	struct tls_thread *t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0);
	u64 pid_tgid = bpf_get_current_pid_tgid();
	struct tls_call call = {};
	struct scratch *s;

	OWN_STACK(regs, no_probe);
	if (!t ||
	    !t->session) /* of two calls, one within the other, the inner one was taken: TLS in TLS, a write by what a read has called */
		return 0;
	call.flags = t->flags;
	call.session = t->session;
	call.buffer = t->buffer;
	call.moved = tls_result(regs, t, call.flags);
	call.inside = t->inside.sk ? &t->inside : NULL;
	call.received = !t->inside.sk && !(call.flags & CLEW_TLS_BY_BIO) && t->received.sk ? &t->received : NULL;
	call.received_at = t->received_at;
	t->session = 0;
	if ((call.flags & CLEW_TLS_CORKS) && !call.inside) /* kept, to be given to the same function once more when it is sent */
		call.moved = 0;
	if (call.moved <= 0 && !call.inside && !call.received && !(call.flags & (CLEW_TLS_EGRESS | CLEW_TLS_BY_BIO))) {
		/* it has found nothing to read, as each request's last read does where programs read until then */
		s = scratch_of(SCRATCH_PROBE);
		if (s)
			s->counters.figures[CLEW_FIGURE_PROBES]++;
		t->received.sk = 0;
		return 0;
	}
	s = tls_take_scratch();
	if (!s)
		return 0;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!t->is_walked)
		tls_walk(s, &call, pid_tgid);
	if (call.flags & CLEW_TLS_EGRESS)
		tls_taken(call.session, pid_tgid, call.moved);
	else if (call.moved > 0)
		t->moved_since = 0;
	give_back(s);
	return 0;
}

/* SSL_free and its like: the session's address may be another's next. */
SEC("uprobe")
int uprobe__tls_free(struct pt_regs *regs)
{
	struct tls_key key = {.session = regs->di, .tgid = (u32)(bpf_get_current_pid_tgid() >> 32)};
	struct tls_session *session;
	struct scratch *s;
	u32 flags;

	OWN_STACK(regs, no_probe);
	if (!tls_counts(bpf_get_attach_cookie(regs), key.tgid, &flags))
		return 0;
	session = bpf_map_lookup_elem(&tls_sessions, &key);
	tls_forget_bio(&key);
	bpf_map_delete_elem(&tls_missed, &key);
	if (!session)
		return 0;
	s = tls_take_scratch();
	if (s) {
		s->counters.figures[CLEW_FIGURE_PROBES]++;
		emit_end(s, &session->c, CLEW_END_CLOSED, CLEW_EGRESS);
		if (injecting)
			request_over((struct served *)session->served, session->c.id);
		give_back(s);
	}
	tls_forget(&key, session->sk);
	return 0;
}

/* BIO_write, where the program itself hands what it has received to the library: (BIO *, data, length). */
SEC("uprobe")
int uprobe__tls_bio_write(struct pt_regs *regs)
{
	struct tls_key bio = {.session = regs->di, .tgid = (u32)(bpf_get_current_pid_tgid() >> 32)};
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	u64 words[TLS_RECORD_BYTES / sizeof(u64)];
	struct tls_socket *found, socket;
	u32 flags;
	u64 key;

	OWN_STACK(regs, no_probe);
	if (!tls_counts(bpf_get_attach_cookie(regs), bio.tgid, &flags) ||
	    (bpf_get_attach_cookie(regs) >> CLEW_TLS_FILE_SHIFT && !(flags & CLEW_TLS_BY_BIO)))
		return 0;
	if (s)
		s->counters.figures[CLEW_FIGURE_PROBES]++;
	if ((s32)regs->dx < TLS_RECORD_BYTES || bpf_probe_read_user(words, sizeof(words), (void *)regs->si))
		return 0;
	key = tls_mix(words, bio.tgid);
	found = bpf_map_lookup_elem(&tls_records, &key);
	if (!found)
		return 0;
	socket = *found;
	socket.is_inside = 1;
	bpf_map_delete_elem(&tls_records, &key);
	bpf_map_update_elem(&tls_bios, &bio, &socket, BPF_ANY);
	return 0;
}
