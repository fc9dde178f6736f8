/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the registers of the system call under way to the bytes that it moved. Registers are trusted only if the call's number fits
 * the direction, and in tasks with io_uring, whose completions run under other calls' registers, only if they name this socket
 * (FEASIBILITY 1.1; libuv has a ring for epoll_ctl alone).
 * Misses: sendfile, splice, io_uring (no readable buffer: the bytes are counted), 32-bit processes.
 */
#ifndef CLEW_BPF_USER_BUFFER_H
#define CLEW_BPF_USER_BUFFER_H

enum { /* arch/x86/entry/syscalls/syscall_64.tbl */
       NR_read = 0,
       NR_write = 1,
       NR_readv = 19,
       NR_writev = 20,
       NR_sendfile = 40,
       NR_sendto = 44,
       NR_recvfrom = 45,
       NR_sendmsg = 46,
       NR_recvmsg = 47,
       NR_splice = 275,
       NR_recvmmsg = 299,
       NR_sendmmsg = 307,
       NR_preadv2 = 327,
       NR_pwritev2 = 328,
};

static __noinline int socket_of(u32 fd, struct socket_of_call *found)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;
	struct inode *inode;
	struct socket *socket;

	if (fd >= BPF_CORE_READ(table, max_fds) || bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return false;
	inode = BPF_CORE_READ(file, f_inode);
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return false;
	socket = BPF_CORE_READ(file, private_data);
	found->sk = (u64)BPF_CORE_READ(socket, sk);
	found->inode = BPF_CORE_READ(inode, i_ino);
	found->file_flags = BPF_CORE_READ(file, f_flags);
	return found->sk != 0;
}

/* Which entry of a sendmmsg or recvmmsg vector an event belongs to: the calls give one event per message, in order. */
static __always_inline u32 mmsg_entry(struct connection *c, u8 direction, u64 vector, u32 count)
{
	u32 entry = c->mmsg_vector[direction] == vector ? c->mmsg_next[direction] : 0;

	c->mmsg_vector[direction] = vector;
	c->mmsg_next[direction] = entry + 1 < count ? entry + 1 : 0;
	return entry;
}

static __always_inline int use_msghdr(struct scratch *s, u64 address)
{
	u64 iov[2]; /* msg_iov, msg_iovlen */

	if (bpf_probe_read_user(iov, sizeof(iov), (void *)(address + __builtin_offsetof(struct user_msghdr, iov)))) {
		lose(s, CLEW_LOSS_READ_USER, 1);
		return -1;
	}
	s->buffer = iov[0];
	s->iov_count = (u32)iov[1];
	return 0;
}

/* Fills s->buffer and s->iov_count for this call. 0, or -1: there is no buffer to read. */
static __always_inline int find_buffer(struct scratch *s, struct connection *c, u8 direction, u64 nr, u64 si, u64 dx)
{
	s->iov_count = 0;
	s->iov_index = 0;
	s->iov_offset = 0;
	s->buffer = si;
	if (direction == CLEW_EGRESS) {
		switch (nr) {
		case NR_write:
		case NR_sendto:
			return 0;
		case NR_writev:
		case NR_pwritev2:
			s->iov_count = (u32)dx;
			return 0;
		case NR_sendmsg:
			return use_msghdr(s, si);
		case NR_sendmmsg:
			return use_msghdr(s, si + sizeof(struct user_mmsghdr) * mmsg_entry(c, direction, si, (u32)dx));
		}
		return -1;
	}
	switch (nr) {
	case NR_read:
	case NR_recvfrom:
		return 0;
	case NR_readv:
	case NR_preadv2:
		s->iov_count = (u32)dx;
		return 0;
	case NR_recvmsg:
		return use_msghdr(s, si);
	case NR_recvmmsg:
		return use_msghdr(s, si + sizeof(struct user_mmsghdr) * mmsg_entry(c, direction, si, (u32)dx));
	}
	return -1;
}

/*
 * Work that a thread has left to io_uring may complete under the registers of another of its calls, and a ring's own threads have none: the
 * call names this socket, or it is not the one that moved the bytes. libuv (Node 20.3 and later) has a ring in a thread that calls plainly.
 */
static __always_inline bool is_call_on(struct task_struct *task, struct pt_regs *regs, struct sock *sk)
{
	struct socket_of_call named;

	return !task->io_uring || (socket_of((u32)regs->di, &named) && named.sk == (u64)sk);
}

struct gather {
	struct scratch *s;
};

/* One iovec: copies its part of [gather_offset, gather_end) of the call behind what is there. */
static long gather_step(u32 index, struct gather *g)
{
	struct scratch *s = g->s;
	struct user_iovec v;
	u32 filled = s->gathered, at = s->gather_offset + filled, skip, n;

	(void)index;
	if (at >= s->gather_end || s->iov_index >= s->iov_count)
		return 1;
	/* not by an assignment: the verifier of 6.18 fails on a scalar that a callback keeps on its stack */
	if (s->iov_copied ? bpf_probe_read_kernel(&v, sizeof(v), &s->chunks[s->iov_index & (RUSTLS_CHUNKS - 1)])
			  : bpf_probe_read_user(&v, sizeof(v), (void *)(s->buffer + 16ull * s->iov_index))) {
		s->gather_failed = 1;
		return 1;
	}
	skip = at - s->iov_offset;
	if (v.length <= skip) {
		s->iov_offset += (u32)v.length;
		s->iov_index++;
		return 0;
	}
	n = s->gather_end - at;
	if (v.length - skip < n)
		n = (u32)(v.length - skip);
	if (filled >= CLEW_WINDOW || n > CLEW_WINDOW)
		return 1;
	if (bpf_probe_read_user(s->bytes + SCRATCH_HEADROOM + filled, n, (void *)(v.base + skip))) {
		s->gather_failed = 1;
		return 1;
	}
	s->gathered = filled + n;
	/* a head that fills its iovecs: its body, in the next ones, need not be read */
	return n >= 4 && *(u32 *)(s->bytes + SCRATCH_HEADROOM + filled + n - 4) == 0x0a0d0a0d;
}

/* Copies up to a window of the call's bytes from `offset` on. Returns how many, or -1. */
static __noinline int read_buffer(struct scratch *s, u32 offset, u32 total)
{
	u32 n = total - offset;

	if (n > CLEW_WINDOW)
		n = CLEW_WINDOW;
	if (s->iov_count) {
		struct gather g = {.s = s};

		if (offset < s->iov_offset) { /* back to what a window has cut */
			s->iov_index = 0;
			s->iov_offset = 0;
		}
		s->gather_offset = offset;
		s->gather_end = offset + n;
		s->gathered = 0;
		s->gather_failed = 0;
		bpf_loop(1024 + 1, gather_step, &g, 0); /* UIO_MAXIOV */
		if (s->gather_failed || s->gathered == 0)
			return -1;
		return (int)s->gathered;
	}
	if (bpf_probe_read_user(s->bytes + SCRATCH_HEADROOM, n, (void *)(s->buffer + offset)))
		return -1;
	return (int)n;
}

#endif
