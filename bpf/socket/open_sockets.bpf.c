/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * iter/task_file: the sockets that selected processes hold open when clew begins to look at them.
 * Why an iterator: it sees each open file of each task in the kernel, without ptrace and without racing through /proc. Since 5.8.
 * They get their state here: Unix sockets marked as open already, since unlike TCP's their own counters do not tell a beginning;
 * TCP sockets with the direction that moved last, in which a body may be under way.
 */

/* 1 + the direction that moved last, or 0 if that cannot be told: in it something may be under way. Jiffies. */
static __always_inline u8 last_active(struct tcp_sock *tp)
{
	s32 sent_later = (s32)(BPF_CORE_READ(tp, lsndtime) - BPF_CORE_READ(tp, inet_conn.icsk_ack.lrcvtime));

	return sent_later > 0 ? 1 + CLEW_EGRESS : sent_later < 0 ? 1 + CLEW_INGRESS : 0;
}

/* Only this process, or 0: all that are selected. Written by user space before each walk. */
clew_u32 open_sockets_of;

SEC("iter/task_file")
int iter__open_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct clew_open_socket record = {};
	struct connection *c;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file || task->pid != task->tgid)
		return 0;
	record.tgid = task->tgid;
	if (open_sockets_of ? open_sockets_of != record.tgid : !maybe_selected(record.tgid))
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_stream(sk))
		return 0;
	record.family = (u8)sk->__sk_common.skc_family;
	record.listening = sk->__sk_common.skc_state == TCP_LISTEN;
	record.port = record.family == AF_UNIX ? 0 : sk->__sk_common.skc_num;
	if (!record.listening && !by_address) {
		c = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (c && c->id == 0) {
			c->existing = 1;
			if (record.family != AF_UNIX)
				c->http.distrusted = last_active((struct tcp_sock *)sk);
		}
	}
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
