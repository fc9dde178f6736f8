/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tokio: the task that makes a call and, where that is a connection of hyper's client, the task that waits for the answer.
 * The current task's id lies in a thread-local word. A request is written by a task of the connection, which serves all who ask; but with
 * each it holds the sending end of a oneshot channel for the response, and there the waker of the task that waits for it. The way there:
 * the task's own waker lies in a frame of the thread's stack, it names the task, whose future holds the channel at a place that is the same
 * for all tasks of a kind. The place is looked for once per kind, by the channel's shape: it is shared by two, and holds the waker of the
 * task itself and one other, beside a state that says that both are set.
 * Misses: a response that is awaited through a waker that is not a task's (FuturesUnordered, block_on), HTTP/2, an answer that nobody
 * awaits at that moment (state 8).
 *
 * words at a call: 0 task, 0: none, and TOKIO_PROVEN; sending a request, else 0: 1 the task that waits for its answer, and TOKIO_JOINABLE;
 * 2 the task that waits for the end of that one, and from bit TOKIO_ID_BITS on a hash of its kind
 * words of TOKIO_NOTE_SPAWNED: the task that has spawned, the new one, 0
 */
#ifndef CLEW_BPF_TOKIO_H
#define CLEW_BPF_TOKIO_H

enum tokio_layout {
	TOKIO_TASK_ID = 0, /* offset from the thread pointer to CONTEXT.current_task_id */
	TOKIO_WAKER = 1,   /* address of the table that the wakers of tasks have: runtime::task::waker::WAKER_VTABLE */
	TOKIO_STACK = 2,   /* from here on the kernel's own: how far above the stack pointer wakers were found last, two places; … */
	TOKIO_SEARCHES = 4 /* … how often a channel was looked for */
};

enum tokio_note {
	TOKIO_NOTE_SPAWNED = 1,
};

#define TOKIO_ID_BITS 44
#define TOKIO_PROVEN (1ull << 63)   /* the task's own memory says the same id */
#define TOKIO_JOINABLE (1ull << 63) /* its JoinHandle is there: somebody wants its end */

/* runtime::task::core::Header and runtime::task::raw::Vtable, since tokio 1.24; bits of runtime::task::state */
#define TOKIO_OFFSETS 56 /* in Vtable: of the trailer, the scheduler, the id */
#define TOKIO_COMPLETE 2
#define TOKIO_JOIN_INTEREST 8
#define TOKIO_JOIN_WAKER 16
#define TOKIO_TASK_MAX 65536 /* bytes of a task */

#define TOKIO_SET 9 /* sync::oneshot: RX_TASK_SET | TX_TASK_SET, no value, not closed */
#define TOKIO_INNER_WORDS 64
#define TOKIO_FUTURE_WORDS 512
#define TOKIO_STACK_WORDS 512
#define TOKIO_SEARCHES_MAX 256

static __always_inline bool tokio_get(void *into, u32 bytes, u64 address)
{
	return bpf_probe_read_user(into, bytes, (void *)address) == 0;
}

/* The id of the task whose header lies there, 0: it is none. Leaves its header and offsets in *t. */
static __always_inline u64 tokio_task_at(struct tokio_task *t, u64 header)
{
	u64 id = 0;

	if (!header || (header & 7) || !tokio_get(&t->header, sizeof(t->header), header) ||
	    !tokio_get(&t->offsets, sizeof(t->offsets), t->header.vtable + TOKIO_OFFSETS) || t->offsets.id >= TOKIO_TASK_MAX ||
	    t->offsets.trailer >= TOKIO_TASK_MAX || t->offsets.id >= t->offsets.trailer || !tokio_get(&id, sizeof(id), header + t->offsets.id))
		return 0;
	return id >> TOKIO_ID_BITS ? 0 : id;
}

struct tokio_search {
	struct tokio_work *w;
	const struct clew_runtime_layout *layout;
};

/* The waker of the current task at w->stack + distance? */
static __always_inline bool tokio_own_at(struct tokio_search *search, u64 distance)
{
	struct tokio_work *w = search->w;

	if (!tokio_get(w->waker, sizeof(w->waker), w->stack + distance) || w->waker[0] != search->layout->values[TOKIO_WAKER] ||
	    tokio_task_at(&w->seen, w->waker[1]) != w->task)
		return false;
	w->own = w->waker[1];
	return true;
}

static long tokio_stack_step(u32 i, struct tokio_search *search)
{
	struct tokio_work *w = search->w;
	u64 word = 0;

	if (!tokio_get(&word, sizeof(word), w->stack + i * sizeof(u64)))
		return 1;
	if (word != search->layout->values[TOKIO_WAKER] || !tokio_own_at(search, i * sizeof(u64)))
		return 0;
	w->distance = i * sizeof(u64);
	return 1;
}

/* The current task's header: its waker is a local variable of the frame that polls it. */
static __always_inline bool tokio_find_own(struct tokio_search *search, struct clew_runtime_layout *layout)
{
	struct tokio_work *w = search->w;

	w->own = 0;
	if (tokio_own_at(search, layout->values[TOKIO_STACK]))
		return true;
	if (!tokio_own_at(search, layout->values[TOKIO_STACK + 1])) {
		w->own = 0;
		bpf_loop(TOKIO_STACK_WORDS, tokio_stack_step, search, 0);
		if (!w->own)
			return false;
		layout->values[TOKIO_STACK + 1] = w->distance;
	}
	w->distance = layout->values[TOKIO_STACK]; /* the likelier one stands first */
	layout->values[TOKIO_STACK] = layout->values[TOKIO_STACK + 1];
	layout->values[TOKIO_STACK + 1] = w->distance;
	return true;
}

static long tokio_inner_step(u32 i, struct tokio_search *search)
{
	struct tokio_work *w = search->w;

	if (w->inner[(i + 2) & 63] != search->layout->values[TOKIO_WAKER])
		return 0;
	if (w->inner[(i + 3) & 63] == w->own)
		w->client.own = i + 2;
	else
		w->client.waiter = i + 2;
	return 0;
}

/* A oneshot channel that word i of the future points to? */
static long tokio_future_step(u32 i, struct tokio_search *search)
{
	struct tokio_work *w = search->w;
	u32 first, last;
	u64 at = 0;

	if (i >= w->future_words || !tokio_get(&at, sizeof(at), w->future + i * sizeof(u64)))
		return 1;
	if (at < 65536 || at >> 47 || (at & 7) || !tokio_get(w->counts, sizeof(w->counts), at) || w->counts[0] != 2 || w->counts[1] != 1 ||
	    !tokio_get(w->inner, sizeof(w->inner), at))
		return 0;
	w->client.own = w->client.waiter = 0;
	bpf_loop(TOKIO_INNER_WORDS - 4, tokio_inner_step, search, 0);
	if (!w->client.own || !w->client.waiter)
		return 0;
	first = w->client.own < w->client.waiter ? w->client.own : w->client.waiter;
	last = w->client.own ^ w->client.waiter ^ first;
	if ((w->inner[(first - 1) & 63] == TOKIO_SET) == (w->inner[(last + 2) & 63] == TOKIO_SET))
		return 0;
	w->client.state = w->inner[(last + 2) & 63] == TOKIO_SET ? last + 2 : first - 1;
	w->client.channel = i;
	w->candidate = w->client;
	w->found++;
	return 0;
}

/*
 * The future of the current task: in the task itself, or in a box whose address and table follow the id and a tag. How many words it has,
 * 0: more than would be looked at.
 */
static __always_inline u64 tokio_future(struct tokio_work *w, struct tokio_client_key *key)
{
	u64 boxed[2] = {}, size = 0;
	u32 behind = w->seen.offsets.trailer - w->seen.offsets.id;

	w->future = w->own + w->seen.offsets.id + sizeof(u64);
	key->kind = w->seen.header.vtable;
	if (behind <= 8 * sizeof(u64) && tokio_get(boxed, sizeof(boxed), w->own + w->seen.offsets.id + 2 * sizeof(u64)) &&
	    tokio_get(&size, sizeof(size), boxed[1] + sizeof(u64)) && size && size <= TOKIO_FUTURE_WORDS * sizeof(u64)) {
		w->future = boxed[0];
		key->kind = boxed[1];
		return size / sizeof(u64);
	}
	return behind <= TOKIO_FUTURE_WORDS * sizeof(u64) ? behind / sizeof(u64) : 0;
}

/* The channel of the request under way: true if there is one and somebody waits at its other end; that task is w->waiter then. */
static __always_inline bool tokio_find_waiter(struct tokio_work *w, struct tokio_client *client, u64 table)
{
	u64 inner = 0, state = 0;

	if (!tokio_get(&inner, sizeof(inner), w->future + client->channel * sizeof(u64)) || !tokio_get(w->counts, sizeof(w->counts), inner) ||
	    w->counts[0] != 2 || w->counts[1] != 1)
		return false;
	if (!tokio_get(&state, sizeof(state), inner + client->state * sizeof(u64)) || state != TOKIO_SET)
		return false;
	if (!tokio_get(w->waker, sizeof(w->waker), inner + client->own * sizeof(u64)) || w->waker[0] != table || w->waker[1] != w->own)
		return false;
	if (!tokio_get(w->waker, sizeof(w->waker), inner + client->waiter * sizeof(u64)) || w->waker[0] != table)
		return false;
	w->waiter = w->waker[1];
	return true;
}

/* Who waits for the end of the task whose header was read last: struct Trailer, in whatever order. */
static __always_inline u64 tokio_joiner(struct tokio_work *w, u64 task, u64 table)
{
	u32 i;

	if (!(w->seen.header.state & TOKIO_JOIN_WAKER) || (w->seen.header.state & TOKIO_COMPLETE) ||
	    !tokio_get(w->trailer, sizeof(w->trailer), task + w->seen.offsets.trailer))
		return 0;
	for (i = 0; i < 3; i++)
		if (w->trailer[i] == table)
			return tokio_task_at(&w->seen, w->trailer[i + 1]);
	return 0;
}

/* A function of its own for the verifier, which goes through it once. */
__noinline int tokio_read(struct clew_execution *e, struct clew_runtime_layout *layout, struct tokio_work *w, u32 sends)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct tokio_search search = {.w = w, .layout = layout};
	struct tokio_client_key key = {};
	struct tokio_client *known, client;
	u64 table, id, joinable, kind;

	if (!e || !layout || !w)
		return 0;
	table = layout->values[TOKIO_WAKER];
	e->words[0] = e->words[1] = e->words[2] = 0;
	if (!tokio_get(&w->task, sizeof(w->task), task->thread.fsbase + layout->values[TOKIO_TASK_ID]) || w->task >> TOKIO_ID_BITS)
		return 0;
	e->words[0] = w->task;
	w->stack = regs->sp;
	if (!sends || !w->task || !tokio_find_own(&search, layout))
		return 1;
	e->words[0] |= TOKIO_PROVEN;
	w->future_words = tokio_future(w, &key);
	key.tgid = w->tgid;
	known = bpf_map_lookup_elem(&tokio_clients, &key);
	if (known) {
		client = *known;
	} else {
		if (layout->values[TOKIO_SEARCHES] >= TOKIO_SEARCHES_MAX)
			return 1;
		layout->values[TOKIO_SEARCHES]++;
		w->found = 0;
		bpf_loop(TOKIO_FUTURE_WORDS, tokio_future_step, &search, 0);
		client = w->candidate;
		if (w->found != 1 || bpf_map_update_elem(&tokio_clients, &key, &client, BPF_ANY))
			return 1;
	}
	if (!tokio_find_waiter(w, &client, table))
		return 1;
	id = tokio_task_at(&w->seen, w->waiter);
	joinable = w->seen.header.state & TOKIO_JOIN_INTEREST ? TOKIO_JOINABLE : 0;
	kind = (w->seen.header.vtable * 0x9e3779b97f4a7c15ull) >> TOKIO_ID_BITS << TOKIO_ID_BITS;
	if (!id || id == w->task)
		return 1;
	e->words[1] = id | joinable;
	e->words[2] = tokio_joiner(w, w->waiter, table) | kind;
	return 1;
}

static __always_inline int read_tokio(struct scratch *s, struct clew_execution *e, struct clew_runtime_layout *layout, bool sends)
{
	s->tokio.tgid = s->tgid;
	return tokio_read(e, layout, &s->tokio, sends);
}

#endif
