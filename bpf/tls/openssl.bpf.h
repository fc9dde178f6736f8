/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * OpenSSL's own function for reading, behind its call that reads: the result is in eax, and what it was given in registers that a call
 * leaves alone (agent/tls/openssl_method.h; the cookie says which). So a read costs one probe, none of it on a return address: programs may
 * change stacks within it. Misses: what tells a session's socket besides its handshake and its writes, if neither the bytes nor the
 * session's descriptor do: a BIO of the program's own kind on a connection that was open before clew.
 */
#ifndef CLEW_BPF_TLS_OPENSSL_H
#define CLEW_BPF_TLS_OPENSSL_H

/* `number` is that of machine code. All are read in any case, each at its own place: the verifier takes no other. */
static __always_inline u64 kept_register(const struct pt_regs *regs, u32 number)
{
	u64 bx = regs->bx, bp = regs->bp, r12 = regs->r12, r13 = regs->r13, r14 = regs->r14, r15 = regs->r15;

	barrier_var(bx);
	barrier_var(bp);
	barrier_var(r12);
	barrier_var(r13);
	barrier_var(r14);
	barrier_var(r15);
	switch (number & 15) {
	case 3:
		return bx;
	case 5:
		return bp;
	case 12:
		return r12;
	case 13:
		return r13;
	case 14:
		return r14;
	case 15:
		return r15;
	}
	return 0;
}

/*
 * False: nothing was read, as by each request's last read where programs read until then, and nothing can be learned of a session either;
 * or it will be read again.
 */
static __always_inline bool openssl_reads(const struct pt_regs *regs, u64 cookie, struct tls_call *call)
{
	struct tls_thread *t = bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0);
	bool has_read = (s32)regs->ax > 0;

	if (kept_register(regs, (u32)(cookie >> CLEW_TLS_PEEK_SHIFT)))
		return false;
	if (t && t->received.sk && !(call->flags & CLEW_TLS_BY_BIO)) {
		call->received = &t->received;
		call->received_at = t->received_at;
	}
	if (!has_read && !call->received)
		return false;
	if (t && has_read) {
		t->moved_since = 0;
		if (t->latest.sk)
			call->latest = &t->latest;
	}
	call->session = kept_register(regs, (u32)(cookie >> CLEW_TLS_SESSION_SHIFT));
	call->buffer = kept_register(regs, (u32)(cookie >> CLEW_TLS_BUFFER_SHIFT));
	return !has_read || bpf_probe_read_user(&call->moved, sizeof(call->moved),
						(void *)kept_register(regs, (u32)(cookie >> CLEW_TLS_MOVED_SHIFT))) == 0;
}

#endif
