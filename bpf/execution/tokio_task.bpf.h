/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tokio: which task a thread runs, and what the memory of a task says of it. Words, layout and notes: execution/tokio.bpf.h. */
#ifndef CLEW_BPF_TOKIO_TASK_H
#define CLEW_BPF_TOKIO_TASK_H

enum tokio_layout {
	TOKIO_TASK_ID = 0,    /* offset from the thread pointer to CONTEXT.current_task_id */
	TOKIO_WAKER = 1,      /* address of the table that the wakers of tasks have: runtime::task::waker::WAKER_VTABLE */
	TOKIO_STACK = 2,      /* from here on the kernel's own: how far above the stack pointer wakers were found last, two places; … */
	TOKIO_SEARCHES = 4,   /* … how often a channel was looked for; … */
	TOKIO_MISSES = 5,     /* … requests in a row with nothing like it where it should be; … */
	TOKIO_GENERATION = 6, /* … of what was found */
	TOKIO_TASK_TAG = 7,   /* as TOKIO_TASK_ID: of a word that is 1 while there is an id; 0: none */
};

enum tokio_note {
	TOKIO_NOTE_SPAWNED = 1,
	TOKIO_NOTE_BLOCKING = 2, /* a function of its own thread, that runs until it ends */
};

#define TOKIO_ID_BITS 44
#define TOKIO_PROVEN (1ull << 63)   /* the task's own memory says the same id */
#define TOKIO_UNHEARD (1ull << 62)  /* it has a channel, at which nobody waits yet: who has asked is still at it */
#define TOKIO_JOINABLE (1ull << 63) /* its JoinHandle is there: somebody wants its end, … */
#define TOKIO_JOINED (1ull << 62)   /* … and waits for it now */

/* runtime::task::core::Header and runtime::task::raw::Vtable, since tokio 1.24; bits of runtime::task::state */
#define TOKIO_OFFSETS 56 /* in Vtable: of the trailer, the scheduler, the id */
#define TOKIO_COMPLETE 2
#define TOKIO_JOIN_INTEREST 8
#define TOKIO_JOIN_WAKER 16
#define TOKIO_TASK_MAX 65536 /* bytes of a task */

#define TOKIO_SET 9    /* sync::oneshot: RX_TASK_SET | TX_TASK_SET, no value, not closed; … */
#define TOKIO_TX_SET 8 /* … TX_TASK_SET alone */
#define TOKIO_INNER_WORDS 64
#define TOKIO_FUTURE_WORDS 512
#define TOKIO_SEARCH_STEPS 4096 /* with what the future points to */
#define TOKIO_STACK_WORDS 512
#define TOKIO_SEARCHES_MAX 256
#define TOKIO_VOTES 4
#define TOKIO_MISSES_MAX 16

static __always_inline bool tokio_get(void *into, u32 bytes, u64 address)
{
	return bpf_probe_read_user(into, bytes, (void *)address) == 0;
}

/* The id of the task that the thread runs, 0: none. */
static __always_inline u64 tokio_current(const struct clew_runtime_layout *layout, u64 thread, u64 *word)
{
	u64 tag = layout->values[TOKIO_TASK_TAG];

	if (tag && (!tokio_get(word, sizeof(*word), thread + tag) || *word != 1))
		return 0;
	if (!tokio_get(word, sizeof(*word), thread + layout->values[TOKIO_TASK_ID]) || *word >> TOKIO_ID_BITS)
		return 0;
	return *word;
}

/* The id of the task whose header lies there, 0: it is none. Leaves its header and offsets in *t. */
static __always_inline u64 tokio_task_at(struct tokio_task *t, u64 header)
{
	if (!header || (header & 7) || !tokio_get(&t->header, sizeof(t->header), header) ||
	    !tokio_get(&t->offsets, sizeof(t->offsets), t->header.vtable + TOKIO_OFFSETS) || t->offsets.id >= TOKIO_TASK_MAX ||
	    t->offsets.trailer >= TOKIO_TASK_MAX || t->offsets.id >= t->offsets.trailer ||
	    !tokio_get(&t->id, sizeof(t->id), header + t->offsets.id))
		return 0;
	return t->id >> TOKIO_ID_BITS ? 0 : t->id;
}

/* Who waits for the end of the task whose header was read last: struct Trailer, in whatever order. */
static __always_inline u64 tokio_joiner(struct tokio_work *w, u64 task)
{
	u32 i;

	if (!(w->seen.header.state & TOKIO_JOIN_WAKER) || (w->seen.header.state & TOKIO_COMPLETE) ||
	    !tokio_get(w->trailer, sizeof(w->trailer), task + w->seen.offsets.trailer))
		return 0;
	for (i = 0; i < 3; i++)
		if (w->trailer[i] == w->table)
			return tokio_task_at(&w->seen, w->trailer[i + 1]);
	return 0;
}

#endif
