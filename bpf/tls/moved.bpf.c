/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobes in single processes, or in a file for all that run it (attached by user space, agent/tls) where a TLS library has the bytes at
 * the beginning of a function: Go's, and rustls's; or behind a call of its own: OpenSSL's. Why: plaintext as in library.bpf.c, without a
 * return. Misses: go.bpf.h, rustls.bpf.h, openssl.bpf.h.
 */

/* One program for all, for the verifier's time: the cookie says which function it is. */
SEC("uprobe")
int uprobe__tls_moved(struct pt_regs *regs)
{
	u64 cookie = bpf_get_attach_cookie(regs), pid_tgid = bpf_get_current_pid_tgid();
	bool is_behind = cookie >> CLEW_TLS_SESSION_SHIFT & 15, moves = false;
	struct tls_call call = {};
	struct scratch *s;

	OWN_STACK(regs, no_probe);
	if (!tls_counts(cookie, (u32)(pid_tgid >> 32), &call.flags))
		return 0;
	if (is_behind && !openssl_reads(regs, cookie, &call)) {
		s = scratch_of(SCRATCH_PROBE);
		if (s)
			s->counters.figures[CLEW_FIGURE_PROBES]++;
		return 0;
	}
	s = tls_take_scratch();
	if (!s)
		return 0;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!is_behind)
		call.inside = &s->sends;
	if (is_behind)
		moves = true;
	else if (!(call.flags & CLEW_TLS_RUSTLS))
		moves = go_moves(s, regs, &call);
	else if (call.flags & CLEW_TLS_EGRESS)
		rustls_writes(s, regs->di, regs->si);
	else
		moves = rustls_reads(s, regs->di, regs->si, &call);
	if (moves) {
		tls_walk(s, &call, pid_tgid);
		if (tls_may_be_tried_again(call.flags))
			tls_taken(call.session, pid_tgid, call.moved);
	}
	give_back(s);
	return 0;
}

SEC("uretprobe")
int uretprobe__rustls_write(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	rustls_written(regs->ax);
	return 0;
}
