/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tokio: the task that makes a call and, where that is a connection of hyper's client, the task that waits for the answer.
 * The current task's id lies in a thread-local word. A request is written by a task of the connection, which serves all who ask; but with
 * each it holds the sending end of a oneshot channel for the response, and there the waker of the task that waits for it. The way there:
 * the task's own waker lies in a frame of the thread's stack, it names the task, whose future holds the channel at a place that is the same
 * for all tasks of a kind. The place is looked for once per kind, by the channel's shape: it is shared by two, and holds the waker of the
 * task itself and one other, beside a state that says that both are set.
 * Misses: a response that is awaited through a waker that is not a task's (FuturesUnordered, block_on), HTTP/2.
 *
 * words at a call: 0 task, 0: none, and TOKIO_PROVEN, TOKIO_UNHEARD; where a request is sent, else 0: 1 the task that waits for its
 * answer, the task itself if it has no channel, and TOKIO_JOINABLE, TOKIO_JOINED; 2 the task that waits for the end of that one, and from
 * bit TOKIO_ID_BITS on a hash of its kind words of notes: the task that has spawned, the new one, 0
 */
#ifndef CLEW_BPF_TOKIO_H
#define CLEW_BPF_TOKIO_H

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

enum tokio_channel {
	TOKIO_NO_CHANNEL = 0, /* it sends for itself */
	TOKIO_CHANNEL = 1,
	TOKIO_UNDECIDED = 2,
};

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

/* For callbacks, to which only what lies on the stack can be handed. */
struct tokio_search {
	struct tokio_work *w;
};

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

/* Word w->inner_word of what may be a channel. */
static __always_inline void tokio_look_at_inner(struct tokio_work *w)
{
	if (w->inner[w->inner_word & 63] != w->table)
		return;
	if (w->inner[(w->inner_word + 1) & 63] == w->own)
		w->client.own = w->inner_word;
	else
		w->client.waiter = w->inner_word;
}

static __always_inline void tokio_judge_inner(struct tokio_work *w)
{
	u32 first, last;

	if (!w->client.own || !w->client.waiter)
		return;
	first = w->client.own < w->client.waiter ? w->client.own : w->client.waiter;
	last = w->client.own ^ w->client.waiter ^ first;
	if (last != first + 2) /* two wakers in a row */
		return;
	if ((w->inner[(first - 1) & 63] == TOKIO_SET) == (w->inner[(last + 2) & 63] == TOKIO_SET))
		return;
	w->client.state = w->inner[(last + 2) & 63] == TOKIO_SET ? last + 2 : first - 1;
	w->client.channel = w->future_word - 1;
	w->candidate = w->client;
	w->found++;
}

/* The next word of what may be a channel, or of the future. One loop for both: the frames of two would not fit on the stack of 6.1. */
static long tokio_future_step(u32 i, struct tokio_search *search)
{
	struct tokio_work *w = search->w;
	u64 at;

	if (w->inner_word) {
		tokio_look_at_inner(w);
		if (++w->inner_word < TOKIO_INNER_WORDS - 2)
			return 0;
		tokio_judge_inner(w);
		w->inner_word = 0;
	}
	if (w->future_word >= w->future_words || !tokio_get(&w->word, sizeof(w->word), w->future + w->future_word++ * sizeof(u64)))
		return 1;
	at = w->word;
	if (at < 65536 || at >> 47 || (at & 7) || !tokio_get(w->counts, sizeof(w->counts), at) || w->counts[0] != 2 || w->counts[1] != 1 ||
	    !tokio_get(w->inner, sizeof(w->inner), at))
		return 0;
	w->client.own = w->client.waiter = 0;
	w->inner_word = 2; /* behind the two counts */
	return 0;
}

/*
 * The future of the current task: in the task itself, or in a box whose address and table follow the id and a tag. How many words it has,
 * 0: more than would be looked at.
 */
static __always_inline u64 tokio_future(struct tokio_work *w, struct tokio_client_key *key)
{
	u32 behind = w->seen.offsets.trailer - w->seen.offsets.id;

	w->future = w->own + w->seen.offsets.id + sizeof(u64);
	key->kind = w->seen.header.vtable;
	if (behind <= 8 * sizeof(u64) && tokio_get(w->boxed, sizeof(w->boxed), w->own + w->seen.offsets.id + 2 * sizeof(u64)) &&
	    tokio_get(&w->word, sizeof(w->word), w->boxed[1] + sizeof(u64)) && w->word && w->word <= TOKIO_FUTURE_WORDS * sizeof(u64)) {
		w->future = w->boxed[0];
		key->kind = w->boxed[1];
		return w->word / sizeof(u64);
	}
	return behind <= TOKIO_FUTURE_WORDS * sizeof(u64) ? behind / sizeof(u64) : 0;
}

/* The channel of the request under way: its state, 0 if there is none. Where somebody waits at its other end, w->waiter is that task. */
static __always_inline u64 tokio_look_into(struct tokio_work *w, struct tokio_client *client)
{
	u64 inner;

	if (!tokio_get(&w->word, sizeof(w->word), w->future + client->channel * sizeof(u64)))
		return 0;
	inner = w->word;
	if (!tokio_get(w->counts, sizeof(w->counts), inner) || w->counts[0] != 2 || w->counts[1] != 1)
		return 0;
	if (!tokio_get(w->waker, sizeof(w->waker), inner + client->own * sizeof(u64)) || w->waker[0] != w->table || w->waker[1] != w->own)
		return 0;
	if (!tokio_get(&w->word, sizeof(w->word), inner + client->state * sizeof(u64)))
		return 0;
	if (w->word == TOKIO_SET &&
	    (!tokio_get(w->waker, sizeof(w->waker), inner + client->waiter * sizeof(u64)) || w->waker[0] != w->table))
		return 0;
	w->waiter = w->waker[1];
	return w->word;
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

/* Where the task's channel is: the one that a search has found. Another that looks like it may stand for it in memory, but not often. */
static __noinline int tokio_vote(struct tokio_client_key *key, struct tokio_work *w)
{
	struct tokio_client *known = bpf_map_lookup_elem(&tokio_clients, key), fresh;

	if (known && known->channel == w->candidate.channel && known->own == w->candidate.own && known->waiter == w->candidate.waiter &&
	    known->state == w->candidate.state)
		return ++known->votes >= TOKIO_VOTES;
	fresh = w->candidate;
	fresh.votes = 1;
	bpf_map_update_elem(&tokio_clients, key, &fresh, BPF_ANY);
	return 0;
}

/* A search each time until it is certain; not more than TOKIO_SEARCHES_MAX: a program without such clients shall not pay for it for ever.
 */
__noinline int tokio_find_client(struct clew_runtime_layout *layout, struct tokio_work *w)
{
	struct tokio_search search = {.w = w};
	struct tokio_client_key key = {};
	struct tokio_client *known;

	if (!layout || !w)
		return TOKIO_NO_CHANNEL;
	w->future_words = tokio_future(w, &key);
	key.tgid = w->tgid;
	key.generation = (u32)layout->values[TOKIO_GENERATION];
	known = bpf_map_lookup_elem(&tokio_clients, &key);
	if (known && known->votes >= TOKIO_VOTES) {
		w->candidate = *known;
		return TOKIO_CHANNEL;
	}
	w->found = w->inner_word = w->future_word = 0;
	if (layout->values[TOKIO_SEARCHES] < TOKIO_SEARCHES_MAX) {
		layout->values[TOKIO_SEARCHES]++;
		bpf_loop(TOKIO_SEARCH_STEPS, tokio_future_step, &search, 0);
	}
	if (w->found == 1 && !w->inner_word)
		return tokio_vote(&key, w) ? TOKIO_CHANNEL : TOKIO_UNDECIDED;
	return known || w->found ? TOKIO_UNDECIDED : TOKIO_NO_CHANNEL;
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
