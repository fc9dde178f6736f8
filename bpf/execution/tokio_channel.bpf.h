/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tokio: the oneshot channel for the answer that a task of hyper's client holds, by its shape: it is shared by two, and holds the waker of
 * the task itself and one other in a row, beside a state that says that both are set. Its place is the same in all futures of a kind.
 */
#ifndef CLEW_BPF_TOKIO_CHANNEL_H
#define CLEW_BPF_TOKIO_CHANNEL_H

enum tokio_channel {
	TOKIO_NO_CHANNEL = 0, /* it sends for itself */
	TOKIO_CHANNEL = 1,
	TOKIO_UNDECIDED = 2,
};

/* For callbacks, to which only what lies on the stack can be handed. */
struct tokio_search {
	struct tokio_work *w;
};

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

#endif
