/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A uprobe in net/http.(*persistConn).roundTrip, once per request that a Go program sends through net/http's HTTP/1 client.
 * Why: the request is written by a goroutine of the connection, which knows nothing of the one that wants it. Here both are known: the
 * current goroutine, and the connection in RAX (register ABI, since Go 1.17), from which four reads lead to the descriptor.
 * What is read is checked on the way: the descriptor's struct says that it is a stream of an internet family, and it names such a socket.
 * Misses: connections wrapped more than once, Unix sockets. Needs no kernel newer than 6.1.
 */

/* net.netFD: internal/poll.FD and what follows it. The same from Go 1.18 to 1.27. */
struct go_net_fd {
	u64 fdmu[2];
	s64 sysfd;
	u64 not_read[3];
	u8 is_stream;
	u8 flags[7];
	u64 family;
	u64 sotype;
};

static __always_inline bool go_descriptor(u64 net_fd, u32 *descriptor)
{
	struct go_net_fd fd = {};

	if (!net_fd || bpf_probe_read_user(&fd, sizeof(fd), (void *)net_fd))
		return false;
	*descriptor = (u32)fd.sysfd;
	return fd.sysfd >= 0 && fd.sysfd <= 0x7fffffff && fd.is_stream == 1 && (fd.family == AF_INET || fd.family == AF_INET6) &&
	       fd.sotype == SOCK_STREAM;
}

/* conn is an interface: a type and a *net.TCPConn, whose one member is a *netFD; or a pointer to a struct that begins with such an
 * interface. */
static __always_inline bool go_socket_of(u64 interface, struct socket_of_call *found)
{
	u64 conn[2] = {}, inside[2] = {}, net_fd = 0;
	u32 descriptor = 0;

	if (bpf_probe_read_user(conn, sizeof(conn), (void *)interface) || !conn[1] ||
	    bpf_probe_read_user(&net_fd, sizeof(net_fd), (void *)conn[1]))
		return false;
	if (!go_descriptor(net_fd, &descriptor)) {
		if (bpf_probe_read_user(inside, sizeof(inside), (void *)conn[1]) || !inside[1] ||
		    bpf_probe_read_user(&net_fd, sizeof(net_fd), (void *)inside[1]) || !go_descriptor(net_fd, &descriptor))
			return false;
	}
	return socket_of(descriptor, found);
}

SEC("uprobe")
int uprobe__go_round_trip(struct pt_regs *regs)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct socket_of_call socket = {};
	struct clew_execution e = {};
	struct go_work work; /* not per CPU: another task's probe can come between */
	struct go_caller caller = {};
	struct sock *sk;
	u16 family;

	OWN_STACK(regs, no_probe);
	if (!layout || !s)
		return 0;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!go_socket_of(regs->ax + layout->values[GO_PERSIST_CONN], &socket))
		return 0;
	sk = (struct sock *)socket.sk;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || !is_stream_read(sk))
		return 0;
	if (!go_read(&e, layout, &work, false)) {
		bpf_map_delete_elem(&go_callers, &socket.sk); /* of an earlier request */
		return 0;
	}
	caller.goid = e.words[0];
	caller.parent_goid = e.words[1];
	caller.tgid = tgid;
	if (bpf_map_update_elem(&go_callers, &socket.sk, &caller, BPF_ANY))
		lose(s, CLEW_LOSS_GO_CALLERS, 1);
	return 0;
}
