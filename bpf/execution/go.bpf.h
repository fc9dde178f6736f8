/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go: the goroutine that makes a call, and the one that started it.
 *
 * words: 0 goid, 1 parentGoid (0: not known), 2 which ids were still free at that moment (go_free_ids; 0: not known, or
 * not asked for: only with bytes that are received).
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
	GO_GOID_CACHE = 3,   /* offset of goidcache in runtime.p, goidcacheend follows */
	GO_GOID_GEN = 4,     /* address of runtime.sched.goidgen */
	GO_PERSIST_CONN = 5, /* offset of conn in net/http.persistConn */
	GO_CHAN_RECEIVE = 6, /* runtime.waitReasonChanReceive */
};

#define GO_TLS_G (-8) /* of the word that holds g, from the thread's base; other places exist with cgo, hence R14 */
#define GO_STACK_MIN 2048
#define GO_STACK_MAX (1ull << 30)
#define GO_ID_BITS 44
#define GO_ID_MAX (1ull << GO_ID_BITS)
#define GO_ID_BATCH 16 /* _GoidCacheBatch: a P takes so many ids at once */
#define GO_HANDED (1ull << 63)
#define GO_IDS_WAIT_REASON 3 /* a byte: behind schedlink and waitsince */
#define GO_IDS_START_PC 3    /* behind parentGoid, gopc and ancestors */
#define GO_AHEAD_UNKNOWN ((1ull << 27) - 1)

static __always_inline bool go_get(void *into, u32 bytes, u64 address)
{
	return bpf_probe_read_user(into, bytes, (void *)address) == 0;
}

/* bits 0-31: the next id of the P that runs the goroutine; 32-36: how many more it has; 37-63: how far the scheduler is ahead of `next` - 1
 */
static __always_inline u64 go_free_ids(struct go_work *w, const struct clew_runtime_layout *layout)
{
	u64 ahead = GO_AHEAD_UNKNOWN, p;

	if (!go_get(w->p, sizeof(w->p), w->start.m + layout->values[GO_M_P]))
		return 0;
	p = w->p[0] ? w->p[0] : w->p[2]; /* oldp: in a system call */
	if (!p || !go_get(w->cache, sizeof(w->cache), p + layout->values[GO_GOID_CACHE]))
		return 0;
	if (!w->cache[0] || w->cache[0] > w->cache[1] || w->cache[1] - w->cache[0] > GO_ID_BATCH || w->cache[1] - 1 > w->generated)
		return 0;
	if (w->generated - w->cache[0] + 1 < GO_AHEAD_UNKNOWN)
		ahead = w->generated - w->cache[0] + 1;
	return (w->cache[0] & 0xffffffff) | (w->cache[1] - w->cache[0]) << 32 | ahead << 37;
}

static __always_inline bool go_is_on_stack(struct go_work *w, u64 sp)
{
	u64 size;

	if (!w->g || !go_get(&w->start, sizeof(w->start), w->g))
		return false;
	size = w->start.stack[1] - w->start.stack[0];
	return size >= GO_STACK_MIN && size <= GO_STACK_MAX && sp - w->start.stack[0] <= size;
}

/* Fills e->words, the last one only where it is wanted. 0: nothing there, or nothing that is certain. */
__noinline int go_read(struct clew_execution *e, struct clew_runtime_layout *layout, struct go_work *w, u32 free_ids)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	u64 goid, parent = 0, start_pc = 0;
	u32 at;

	if (!e || !layout || !w)
		return 0;
	w->g = regs->r14;
	if (!go_is_on_stack(w, regs->sp)) {
		if (!go_get(&w->g, sizeof(w->g), task->thread.fsbase + GO_TLS_G) || !go_is_on_stack(w, regs->sp))
			return 0;
	}
	if (!go_get(w->ids, sizeof(w->ids), w->g + layout->values[GO_GOID]) ||
	    !go_get(&w->generated, sizeof(w->generated), layout->values[GO_GOID_GEN]))
		return 0;
	goid = w->ids[0];
	if (layout->values[GO_PARENT_GOID]) {
		at = (u32)(layout->values[GO_PARENT_GOID] - layout->values[GO_GOID]) / sizeof(u64);
		if (at + GO_IDS_START_PC >= GO_IDS_WORDS)
			return 0;
		parent = w->ids[at];
		start_pc = w->ids[at + GO_IDS_START_PC];
	}
	if (!goid || goid > w->generated || parent > w->generated || w->generated >= GO_ID_MAX)
		return 0;
	e->words[0] = goid;
	e->words[1] = parent | (start_pc * 0x9e3779b97f4a7c15ull) >> 45 << 44;
	if ((u8)w->ids[GO_IDS_WAIT_REASON] == layout->values[GO_CHAN_RECEIVE])
		e->words[1] |= GO_HANDED;
	e->words[2] = free_ids ? go_free_ids(w, layout) : 0;
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
