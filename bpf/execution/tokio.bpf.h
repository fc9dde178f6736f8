/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tokio: the task that makes a call and, where that is a connection of hyper's client, the task that waits for the answer.
 * The current task's id lies in a thread-local word. A request is written by a task of the connection, which serves all who ask; but with
 * each it holds the sending end of a oneshot channel for the response, and there the waker of the task that waits for it. The way there:
 * the task's own waker lies in a frame of the thread's stack, it names the task, whose future holds the channel at a place that is the same
 * for all tasks of a kind (tokio_channel.bpf.h).
 * Misses: a response that is awaited through a waker that is not a task's (FuturesUnordered, block_on), HTTP/2.
 *
 * words at a call: 0 task, 0: none, and TOKIO_PROVEN, TOKIO_UNHEARD; where a request is sent, else 0: 1 the task that waits for its
 * answer, the task itself if it has no channel, and TOKIO_JOINABLE, TOKIO_JOINED; 2 the task that waits for the end of that one, and from
 * bit TOKIO_ID_BITS on a hash of its kind
 *
 * words of notes: the task that has spawned, the new one, 0
 */
#ifndef CLEW_BPF_TOKIO_H
#define CLEW_BPF_TOKIO_H

#include "execution/tokio_task.bpf.h"
#include "execution/tokio_channel.bpf.h"

/* The waker of the current task at w->stack + distance? */
static __always_inline bool tokio_own_at(struct tokio_work *w, u64 distance)
{
	if (!tokio_get(w->waker, sizeof(w->waker), w->stack + distance) || w->waker[0] != w->table ||
	    tokio_task_at(&w->seen, w->waker[1]) != w->task)
		return false;
	w->own = w->waker[1];
	return true;
}

static long tokio_stack_step(u32 i, struct tokio_search *search)
{
	struct tokio_work *w = search->w;

	if (!tokio_get(&w->word, sizeof(w->word), w->stack + i * sizeof(u64)))
		return 1;
	if (w->word != w->table || !tokio_own_at(w, i * sizeof(u64)))
		return 0;
	w->distance = i * sizeof(u64);
	return 1;
}

/* The words for a request that the task waits for whose header was read last. */
static __always_inline void tokio_tell(struct clew_execution *e, struct tokio_work *w, u64 task, u64 id)
{
	u64 kind = (w->seen.header.vtable * 0x9e3779b97f4a7c15ull) >> TOKIO_ID_BITS << TOKIO_ID_BITS;

	e->words[1] = id;
	if (w->seen.header.state & TOKIO_JOIN_INTEREST)
		e->words[1] |= TOKIO_JOINABLE;
	if (w->seen.header.state & TOKIO_JOIN_WAKER)
		e->words[1] |= TOKIO_JOINED;
	e->words[2] = tokio_joiner(w, task) | kind;
}

/*
 * Four functions of their own for the verifier, which goes through each once; one after the other, as their frames would not fit on the
 * stack of 6.1 together. The first: the current task. False: nothing can be read.
 */
__noinline int tokio_begin(struct clew_execution *e, struct clew_runtime_layout *layout, struct tokio_work *w)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!e || !layout || !w)
		return 0;
	w->stack = regs->sp;
	w->table = layout->values[TOKIO_WAKER];
	e->words[0] = e->words[1] = e->words[2] = 0;
	w->task = tokio_current(layout, task->thread.fsbase, &w->word);
	e->words[0] = w->task;
	return 1;
}

/* The current task's header, into w->own: its waker is a local variable of the frame that polls it. */
__noinline int tokio_find_own(struct clew_runtime_layout *layout, struct tokio_work *w)
{
	struct tokio_search search = {.w = w};

	if (!layout || !w)
		return 0;
	w->own = 0;
	if (tokio_own_at(w, layout->values[TOKIO_STACK]))
		return 1;
	if (!tokio_own_at(w, layout->values[TOKIO_STACK + 1])) {
		bpf_loop(TOKIO_STACK_WORDS, tokio_stack_step, &search, 0);
		if (!w->own)
			return 0;
		layout->values[TOKIO_STACK + 1] = w->distance;
	}
	w->distance = layout->values[TOKIO_STACK]; /* the likelier one stands first */
	layout->values[TOKIO_STACK] = layout->values[TOKIO_STACK + 1];
	layout->values[TOKIO_STACK + 1] = w->distance;
	return 1;
}

__noinline int tokio_find_answer(struct clew_execution *e, struct clew_runtime_layout *layout, struct tokio_work *w, u32 channel)
{
	u64 state, id;

	if (!e || !layout || !w)
		return 0;
	e->words[0] |= TOKIO_PROVEN;
	if (channel == TOKIO_UNDECIDED)
		return 1;
	if (channel == TOKIO_NO_CHANNEL) {
		tokio_tell(e, w, w->own, w->task);
		return 1;
	}
	state = tokio_look_into(w, &w->candidate);
	if (state) {
		layout->values[TOKIO_MISSES] = 0;
	} else if (++layout->values[TOKIO_MISSES] > TOKIO_MISSES_MAX) {
		layout->values[TOKIO_MISSES] = 0;
		layout->values[TOKIO_GENERATION]++;
	}
	if (state == TOKIO_TX_SET)
		e->words[0] |= TOKIO_UNHEARD;
	if (state != TOKIO_SET)
		return 1;
	id = tokio_task_at(&w->seen, w->waiter);
	if (id && id != w->task)
		tokio_tell(e, w, w->waiter, id);
	return 1;
}

static __always_inline int read_tokio(struct scratch *s, struct clew_execution *e, struct clew_runtime_layout *layout, bool sends)
{
	struct tokio_work *w = &s->tokio;

	if (!tokio_begin(e, layout, w))
		return 0;
	w->tgid = s->tgid;
	if (sends && w->task && tokio_find_own(layout, w))
		tokio_find_answer(e, layout, w, tokio_find_client(layout, w));
	return 1;
}

#endif
