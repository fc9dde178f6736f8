/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Since 7.0 a tracepoint's programs can be preempted, and while one is, the kernel leaves it out for every other task of that CPU. So there
 * four small ones stand behind one another, and the first that is run goes over into the program that sees the call (a tail call, which is
 * not counted as a run of that one). Four tasks of a CPU have to be preempted within them, one after the other, for a call to be missed.
 */
#ifndef CLEW_BPF_TRIES_H
#define CLEW_BPF_TRIES_H

#define TRIES_SLOTS 1024

/* What a thread's latest call was, until the last of the four has looked. A cache line, for it is its CPU's. */
struct tried {
	u64 sk;
	u32 tid;
	u32 position; /* TCP: of the socket */
	u32 first;    /* the first of the four has seen it */
	u32 padding[11];
};

/* Thread, modulo, and direction → its call under way. Two threads of one place: a call is looked at twice, and known by its position. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * TRIES_SLOTS);
	__type(key, u32);
	__type(value, struct tried);
} tries SEC(".maps");

/* The program that sees such calls. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} send_program SEC(".maps"), recv_program SEC(".maps");

static __always_inline struct tried *tried_by(u32 tid, u8 direction)
{
	u32 at = (tid & (TRIES_SLOTS - 1)) | (direction ? TRIES_SLOTS : 0);

	return bpf_map_lookup_elem(&tries, &at);
}

static __always_inline bool is_first_try(u8 direction)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct tried *t = tried_by(tid, direction);

	return t && t->tid == tid && t->first;
}

/* Has no program before the n-th seen this call? */
static __always_inline bool is_due(struct sock *sk, u32 n, bool is_last, u8 direction)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 tid = (u32)pid_tgid, position = 0;
	struct tcp_sock *tp;
	struct tried *t;

	if (!maybe_selected((u32)(pid_tgid >> 32)))
		return false;
	t = tried_by(tid, direction);
	if (!t)
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		position = direction == CLEW_EGRESS ? tp->write_seq : tp->copied_seq;
	if (n > 1 && t->tid == tid && t->sk == (u64)sk && t->position == position) {
		if (is_last)
			t->tid = 0;
		return false;
	}
	t->tid = is_last ? 0 : tid;
	t->sk = (u64)sk;
	t->position = position;
	t->first = n == 1;
	return true;
}

#endif
