/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go: the goroutine that makes a call, and the one that started it.
 *
 * words: 0 goid, 1 parentGoid (0: not known), 2 which ids were still free at that moment (go_free_ids; 0: not known).
 * Word 1 | GO_HANDED: what the goroutine waited for last was a value from a channel, which may be a job of anybody's. Its bits 44-62: a
 * hash of the function that the goroutine runs.
 * layout: values by enum go_layout, written by agent/runtime/go.cc.
 *
 * The current g is in R14 wherever Go code makes a call or is probed, and in a thread-local word; neither is believed before the user
 * stack lies within that g's own stack and its ids lie within those that the scheduler has given out. What fits nothing gives nothing.
 */
#ifndef CLEW_BPF_GO_H
#define CLEW_BPF_GO_H

enum go_layout {
	GO_GOID = 0,	     /* offset in runtime.g */
	GO_PARENT_GOID = 1,  /* offset in runtime.g; 0: before Go 1.21 */
	GO_M_P = 2,	     /* offset of p in runtime.m; nextp and oldp follow it */
	GO_GOID_CACHE = 3,   /* offset of goidcache in runtime.p, goidcacheend follows; 0: not known */
	GO_GOID_GEN = 4,     /* address of runtime.sched.goidgen; 0: not known */
	GO_PERSIST_CONN = 5, /* offset of conn in net/http.persistConn */
	GO_CHAN_RECEIVE = 6, /* runtime.waitReasonChanReceive */
};

#define GO_G_M 48     /* offset of m in runtime.g, all versions: behind stack, two guards, _panic, _defer */
#define GO_TLS_G (-8) /* of the word that holds g, from the thread's base; other places exist with cgo, hence R14 */
#define GO_STACK_MIN 2048
#define GO_STACK_MAX (1ull << 30)
#define GO_ID_MAX (1ull << 44)
#define GO_ID_BATCH 16 /* _GoidCacheBatch: a P takes so many ids at once */
#define GO_HANDED (1ull << 63)
#define GO_AHEAD_UNKNOWN ((1ull << 27) - 1)

/* Of runtime.g, from goid on: the same in all versions. */
struct go_ids {
	u64 goid;
	u64 schedlink;
	u64 waitsince;
	u8 waitreason;
	u8 not_read[7];
};

/* Of runtime.g, from parentGoid on: the same in all versions that have it. */
struct go_origin {
	u64 parent_goid;
	u64 gopc;
	u64 ancestors;
	u64 startpc;
};

/* A Go process has a probe: callers may have to be forgotten with their sockets. Set by user space. */
clew_u32 go_probed;

/* Who has asked for the request that is to be sent on a socket next. */
struct go_caller {
	u64 goid;
	u64 parent_goid;
	u32 tgid;
	u32 padding;
};

/*
 * Address of a TCP socket → its caller. Written by the probe before the request is sent, by whatever goroutine; read with each piece of its
 * head; deleted when its response arrives and with the socket. As many as connections_by_address: requests that wait for an answer.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct go_caller);
} go_callers SEC(".maps");

/* bits 0-31: the next id of the P that runs the goroutine; 32-36: how many more it has; 37-63: how far the scheduler is ahead of `next` - 1
 */
static __always_inline u64 go_free_ids(u64 g, u64 generated, const struct clew_runtime_layout *layout)
{
	u64 m = 0, p[3] = {}, cache[2] = {}, ahead = GO_AHEAD_UNKNOWN;

	if (!layout->values[GO_GOID_CACHE] || bpf_probe_read_user(&m, sizeof(m), (void *)(g + GO_G_M)) ||
	    bpf_probe_read_user(p, sizeof(p), (void *)(m + layout->values[GO_M_P])))
		return 0;
	if (!p[0])
		p[0] = p[2]; /* oldp: in a system call */
	if (!p[0] || bpf_probe_read_user(cache, sizeof(cache), (void *)(p[0] + layout->values[GO_GOID_CACHE])))
		return 0;
	if (!cache[0] || cache[0] > cache[1] || cache[1] - cache[0] > GO_ID_BATCH || cache[1] > GO_ID_MAX)
		return 0;
	if (generated) {
		if (cache[1] - 1 > generated)
			return 0;
		if (generated - cache[0] + 1 < GO_AHEAD_UNKNOWN)
			ahead = generated - cache[0] + 1;
	}
	return (cache[0] & 0xffffffff) | (cache[1] - cache[0]) << 32 | ahead << 37;
}

static __always_inline bool go_is_on_stack_of(u64 g, u64 sp)
{
	u64 stack[2] = {}, size;

	if (!g || bpf_probe_read_user(stack, sizeof(stack), (void *)g))
		return false;
	size = stack[1] - stack[0];
	return size >= GO_STACK_MIN && size <= GO_STACK_MAX && sp - stack[0] <= size;
}

/* Fills e->words. 0: nothing there, or nothing that is certain. */
__noinline int go_read(struct clew_execution *e, struct clew_runtime_layout *layout)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u64 g = regs->r14, sp = regs->sp, generated = 0;
	struct go_origin origin = {};
	struct go_ids ids = {};

	if (!e || !layout)
		return 0;
	if (!go_is_on_stack_of(g, sp)) {
		if (bpf_probe_read_user(&g, sizeof(g), (void *)(task->thread.fsbase + GO_TLS_G)) || !go_is_on_stack_of(g, sp))
			return 0;
	}
	if (bpf_probe_read_user(&ids, sizeof(ids), (void *)(g + layout->values[GO_GOID])))
		return 0;
	if (layout->values[GO_PARENT_GOID])
		bpf_probe_read_user(&origin, sizeof(origin), (void *)(g + layout->values[GO_PARENT_GOID]));
	if (layout->values[GO_GOID_GEN])
		bpf_probe_read_user(&generated, sizeof(generated), (void *)layout->values[GO_GOID_GEN]);
	if (!ids.goid || ids.goid > GO_ID_MAX || origin.parent_goid >= GO_ID_MAX ||
	    (generated && (ids.goid > generated || origin.parent_goid > generated)))
		return 0;
	e->words[0] = ids.goid;
	e->words[1] = origin.parent_goid | (origin.startpc * 0x9e3779b97f4a7c15ull) >> 45 << 44;
	if (ids.waitreason == layout->values[GO_CHAN_RECEIVE])
		e->words[1] |= GO_HANDED;
	e->words[2] = go_free_ids(g, generated, layout);
	return 1;
}

/* A request that a goroutine has asked for is sent by another one: the words are those of the one that has asked. */
static __always_inline void go_caller(struct clew_execution *e, struct connection *c, struct sock *sk, u8 direction)
{
	struct go_caller *caller;
	u64 key = (u64)sk;

	if (!go_probed || c->http.request_direction != 1 + CLEW_EGRESS)
		return;
	if ((direction & 1) == CLEW_INGRESS) {
		bpf_map_delete_elem(&go_callers, &key);
		return;
	}
	caller = bpf_map_lookup_elem(&go_callers, &key);
	if (!caller || caller->tgid != c->tgid)
		return;
	e->words[0] = caller->goid;
	e->words[1] = caller->parent_goid;
}

#endif
