/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * iter/task_file: the sockets that selected processes hold open when clew begins to look at them.
 * Why an iterator: it sees each open file of each task in the kernel, without ptrace and without racing through /proc. Since 5.8.
 * They get their state here: Unix sockets marked as open already, since unlike TCP's their own counters do not tell a beginning;
 * TCP sockets with the direction that moved last, in which a body may be under way.
 */

/*
 * Bit of the direction in which something may be under way: the one that moved last. Where both moved in one jiffy, that of the
 * responses: the request has been answered at once, at least in part. An accepted socket has its listener's backlog, others none.
 */
static __always_inline u8 maybe_under_way(struct tcp_sock *tp)
{
	s32 sent_later = (s32)(BPF_CORE_READ(tp, lsndtime) - BPF_CORE_READ(tp, inet_conn.icsk_ack.lrcvtime));
	u32 sent = BPF_CORE_READ(tp, write_seq) - (BPF_CORE_READ(tp, snd_una) - (u32)BPF_CORE_READ(tp, bytes_acked));
	u32 received = BPF_CORE_READ(tp, copied_seq) - (BPF_CORE_READ(tp, rcv_nxt) - (u32)BPF_CORE_READ(tp, bytes_received));
	u8 moved = (sent > 1) << CLEW_EGRESS | (received != 0) << CLEW_INGRESS;

	if (moved != 3)
		return moved;
	if (sent_later == 0)
		sent_later = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.sk_max_ack_backlog) ? 1 : -1;
	return sent_later > 0 ? 1 << CLEW_EGRESS : 1 << CLEW_INGRESS;
}

/* Only this process, or 0: all that are selected. Written by user space before each walk. */
clew_u32 open_sockets_of;

SEC("iter/task_file")
int iter__open_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct clew_open_socket record = {};
	struct clew_process *p;
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
	if (record.listening && record.family != AF_UNIX)
		watch_listener(sk);
	if (!record.listening && !by_address) {
		c = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		p = bpf_map_lookup_elem(&processes, &record.tgid);
		if (c && p && c->tgid == 0) {
			c->tgid = record.tgid;
			c->runtime = (u8)p->runtime;
			c->tls_since_ns = p->tls_since_ns;
			c->tls_kinds = (u8)p->tls;
			c->epoch = selection_epoch;
		}
		if (c && c->id == 0) {
			c->existing = 1;
			if (record.family != AF_UNIX)
				c->http.distrusted = sk->sk_protocol == IPPROTO_TCP ? maybe_under_way((struct tcp_sock *)sk) : 3;
		}
	}
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
