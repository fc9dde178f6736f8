/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Node.js: which callback of the loop makes a call, and whether that is still the one in which the main thread's latest read arrived.
 * The ids (node, src/env.h) are four doubles: executionAsyncId, triggerAsyncId, the counter from which both come, a default. They do not
 * tell a timer's callback from a read's; the thread's stack does. While libuv hands on what it has read, the frames above its read(2) stand
 * still: the words of the frames around it, and the return address from which the loop goes on when it has handed on all. Misses: worker
 * threads (their ids lie elsewhere: nothing is read), reads by io_uring.
 */
#ifndef CLEW_BPF_NODE_H
#define CLEW_BPF_NODE_H

enum node_layout {
	NODE_IDS = 0,		 /* address of the ids */
	NODE_POLL_SLOT = 1,	 /* address of what uv_run calls last on the main thread's stack: a return address … */
	NODE_POLL = 2,		 /* … and the function that it returns from while libuv hands on what it has polled, uv__io_poll */
	NODE_LOOP = 3,		 /* uv_loop_t */
	NODE_IMMEDIATES = 4,	 /* address of the number of immediates that wait */
	NODE_TICKS = 5,		 /* address of whether ticks wait or run; 0: not known */
	NODE_HOOKS = 6,		 /* address of the counts of hooks */
	NODE_READ_STACK = 7,	 /* from here on kernel's own: stack pointer of the latest read, 0: none; … */
	NODE_READ_FRAMES = 8,	 /* … sum over the frames there; … */
	NODE_READ_NUMBER = 9,	 /* … how many there were; … */
	NODE_READ_LOOP = 10,	 /* … as of the latest: turns of the loop, … */
	NODE_READ_READS = 11,	 /* … the thread's calls of read(2), */
	NODE_READ_REQUESTS = 12, /* … and whether it was from a client's connection; */
	NODE_POLL_PROVEN = 13,	 /* the word at the slot that was last found to be right; */
	NODE_READ_FIRST = 14,	 /* the counter then; */
	NODE_IMMEDIATE = 15,	 /* of the latest that has sent something: its id; */
	NODE_STREAM_NOTES = 16,	 /* notes of HTTP/2 so far (node_streams.bpf.c) */
};

enum node_note {
	/*
	 * Words: connection; counter, turns of the loop (10 bits) and NODE_IMMEDIATES_WAIT; number of the read (16 bits), the thread's
	 * calls of read(2) (16), sum over the state of the timers (32). What happened between two reads besides the first one's callback
	 * shows in the difference.
	 */
	NODE_NOTE_READ = 1,
	NODE_NOTE_CONNECT = 2, /* as of a call; the connection is told next */
};

/* words[0] of a call: executionAsyncId and this, words[1]: triggerAsyncId and the low bits of the read's number, words[2]: the counter. */
#define NODE_IN_TURN (1ull << 63)
/* By an immediate itself (no tick, no promise) in the same turn of the loop as the latest read; no timer can have run since … */
#define NODE_BEHIND_TURN (1ull << 62)
/* … nor the thread pool. */
#define NODE_ALONE (1ull << 61)
#define NODE_NUMBER_SHIFT 53
#define NODE_IMMEDIATES_WAIT (1ull << 63)
#define NODE_LOOP_MASK 1023ull

/* uv_loop_t, the same in all of libuv 1: include/uv/unix.h. Started timers, and how many there ever were: to fire changes one of them. */
#define UV_LOOP_TIMERS 528
struct uv_loop_timers {
	u32 waiting;
	u32 padding;
	u64 started;
};

/* node, src/env.h, AsyncHooks::Fields: the sum of the hooks that are there. With hooks promises have ids, too. */
#define NODE_HOOKS_TOTALS (5 * sizeof(u32))

/* And uv_loop_t.internal_fields, where struct uv__loop_metrics_s begins with the turns of the loop since libuv 1.45; before, no number
 * moves there. */
#define UV_LOOP_INTERNAL 40
#define UV_INTERNAL_LOOP_COUNT 8

/* The integer that a double holds; of one that holds none, *valid becomes false. Below 2^53, as all ids are. */
static __always_inline u64 integer_of(u64 bits, bool *valid)
{
	u32 exponent = (u32)(bits >> 52); /* and the sign, that makes it too big */
	u64 mantissa = (bits & ((1ull << 52) - 1)) | 1ull << 52;
	u32 shift = (1075 - exponent) & 63;

	if (!bits)
		return 0;
	if (exponent < 1023 || exponent > 1075 || (mantissa & ((1ull << shift) - 1)))
		*valid = false;
	return mantissa >> shift;
}

/* The words that lie closer to the stack pointer change from the read to its callback; behind the last, so do those of the next event. */
static __always_inline u64 sum_of_frames(struct scratch *s, u64 stack)
{
	u64 sum = stack;
	u32 i;

	if (bpf_probe_read_user(s->frames, sizeof(s->frames), (void *)(stack + 16 * sizeof(u64))))
		return 0;
	for (i = 0; i < sizeof(s->frames) / sizeof(s->frames[0]); i++)
		sum = (sum ^ s->frames[i]) * 0x9e3779b97f4a7c15ull;
	return sum | 1;
}

/* In front of the return address stands the direct call: uv_run may have several of the same function. x86-64. */
static __always_inline bool in_poll(struct clew_runtime_layout *layout)
{
	u64 address = 0;
	struct {
		u8 opcode;
		s32 distance;
	} __attribute__((packed)) call = {};

	if (bpf_probe_read_user(&address, sizeof(address), (void *)layout->values[NODE_POLL_SLOT]))
		return false;
	if (address && address == layout->values[NODE_POLL_PROVEN])
		return true;
	if (bpf_probe_read_user(&call, sizeof(call), (void *)(address - sizeof(call))) || call.opcode != 0xe8 ||
	    address + (s64)call.distance != layout->values[NODE_POLL])
		return false;
	layout->values[NODE_POLL_PROVEN] = address;
	return true;
}

static __always_inline bool is_main_thread(void)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();

	return (u32)pid_tgid == (u32)(pid_tgid >> 32);
}

/* Every wake-up by the thread pool is a read(2) of an eventfd. Without the kernel's accounting it always seems that there was one. */
static __always_inline u64 reads_of(struct task_struct *task)
{
	return bpf_core_field_exists(task->ioac.syscr) ? BPF_CORE_READ(task, ioac.syscr) : 0;
}

/* 0: not readable */
static __always_inline u64 turns_of_loop(struct node_work *w, const struct clew_runtime_layout *layout)
{
	if (bpf_probe_read_user(&w->internal, sizeof(w->internal), (void *)(layout->values[NODE_LOOP] + UV_LOOP_INTERNAL)) ||
	    bpf_probe_read_user(&w->loop, sizeof(w->loop), (void *)(w->internal + UV_INTERNAL_LOOP_COUNT)))
		return 0;
	return w->loop;
}

/*
 * Immediates run right behind the poll, timers behind them, and then the next turn of the loop begins. The latest read itself was counted
 * when it was done.
 */
static __always_inline u64 behind_turn(struct node_work *w, const struct clew_runtime_layout *layout)
{
	u64 loop;

	if (!layout->values[NODE_READ_STACK] || !layout->values[NODE_TICKS])
		return 0;
	if (bpf_probe_read_user(&w->ticks, sizeof(w->ticks), (void *)layout->values[NODE_TICKS]) || w->ticks)
		return 0;
	if (bpf_probe_read_user(&w->hooks, sizeof(w->hooks), (void *)(layout->values[NODE_HOOKS] + NODE_HOOKS_TOTALS)) || w->hooks)
		return 0;
	if (bpf_probe_read_user(&w->immediates, sizeof(w->immediates), (void *)layout->values[NODE_IMMEDIATES]) ||
	    w->immediates.running != 1)
		return 0;
	loop = turns_of_loop(w, layout);
	if (!loop || loop != layout->values[NODE_READ_LOOP])
		return 0;
	return reads_of(bpf_get_current_task_btf()) == layout->values[NODE_READ_READS] + 1 ? NODE_BEHIND_TURN | NODE_ALONE
											   : NODE_BEHIND_TURN;
}

static __noinline int read_node(struct scratch *s, struct clew_execution *e, struct clew_runtime_layout *layout)
{
	bool valid = true;
	u64 turn = 0;

	if (!s || !e || !layout || !is_main_thread())
		return false;
	if (bpf_probe_read_user(s->node.ids, sizeof(s->node.ids), (void *)layout->values[NODE_IDS]))
		return false;
	if (layout->values[NODE_READ_STACK] && in_poll(layout) &&
	    sum_of_frames(s, layout->values[NODE_READ_STACK]) == layout->values[NODE_READ_FRAMES])
		turn = NODE_IN_TURN;
	else
		turn = behind_turn(&s->node, layout);
	e->runtime = CLEW_RUNTIME_NODE;
	e->padding = 0;
	e->words[0] = integer_of(s->node.ids[0], &valid) | turn;
	e->words[1] = integer_of(s->node.ids[1], &valid) | layout->values[NODE_READ_NUMBER] << NODE_NUMBER_SHIFT;
	e->words[2] = integer_of(s->node.ids[2], &valid);
	return valid;
}

/* Does the main thread act for what the latest read has brought? As class Node of agent/correlation/execution, where that is plain. */
static __noinline int node_acts_for_latest(struct scratch *s, struct clew_execution *e, struct clew_runtime_layout *layout)
{
	u64 id;

	if (!s || !e || !layout || !read_node(s, e, layout))
		return false;
	if (e->words[0] & NODE_IN_TURN)
		return true;
	id = e->words[0] & ((1ull << NODE_NUMBER_SHIFT) - 1);
	if (!(e->words[0] & NODE_BEHIND_TURN) || !(e->words[0] & NODE_ALONE) || id <= layout->values[NODE_READ_FIRST] ||
	    id == layout->values[NODE_IMMEDIATE])
		return false;
	layout->values[NODE_IMMEDIATE] = id;
	return true;
}

static __always_inline void note_node(struct scratch *s, u8 what, u32 tgid)
{
	struct clew_event_runtime *e = &s->event.runtime;

	e->type = CLEW_EVENT_RUNTIME;
	e->what = what;
	e->padding[0] = e->padding[1] = 0;
	e->tgid = tgid;
	e->tid = tgid;
	e->padding2 = 0;
	e->time_ns = bpf_ktime_get_ns();
	submit(s, e, sizeof(*e), CLEW_LOSS_RING_FULL);
}

/*
 * The main thread has read: a turn begins. User space is told of each, for what is sent in a turn, or connects in it, names it by number.
 * s->execution is then what read_node() would find. `requests`: it reads as a server.
 */
static __noinline int begin_node_turn(struct scratch *s, u64 connection, u32 tgid, u32 requests)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct task_struct *task = bpf_get_current_task_btf();
	struct uv_loop_timers timers = {};
	struct clew_execution *e;
	struct pt_regs *regs;
	u32 immediates = 0;

	if (!s || !layout || !is_main_thread())
		return 0;
	e = &s->event.runtime.execution;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	layout->values[NODE_READ_STACK] = 0;
	if (!read_node(s, e, layout))
		return 0;
	layout->values[NODE_READ_STACK] = in_poll(layout) ? regs->sp : 0;
	layout->values[NODE_READ_FRAMES] = sum_of_frames(s, regs->sp);
	layout->values[NODE_READ_NUMBER]++;
	layout->values[NODE_READ_LOOP] = turns_of_loop(&s->node, layout);
	layout->values[NODE_READ_READS] = reads_of(task);
	layout->values[NODE_READ_REQUESTS] = requests;
	layout->values[NODE_READ_FIRST] = e->words[2];
	s->execution = *e;
	s->execution.words[0] |= layout->values[NODE_READ_STACK] ? NODE_IN_TURN : 0;
	s->execution.words[1] = (e->words[1] & ((1ull << NODE_NUMBER_SHIFT) - 1)) | layout->values[NODE_READ_NUMBER] << NODE_NUMBER_SHIFT;
	s->turn = 1;
	e->words[0] = connection;
	e->words[1] = e->words[2] | (layout->values[NODE_READ_LOOP] & NODE_LOOP_MASK) << NODE_NUMBER_SHIFT;
	/* read in one piece each: what is not readable makes a difference where there may be none */
	if (bpf_probe_read_user(&immediates, sizeof(immediates), (void *)layout->values[NODE_IMMEDIATES]) || immediates)
		e->words[1] |= NODE_IMMEDIATES_WAIT;
	if (bpf_probe_read_user(&timers, sizeof(timers), (void *)(layout->values[NODE_LOOP] + UV_LOOP_TIMERS)))
		e->words[1] |= NODE_IMMEDIATES_WAIT;
	e->words[2] = (layout->values[NODE_READ_NUMBER] & 0xffff) | (u64)(u16)layout->values[NODE_READ_READS] << 16 |
		      (u64)(u32)(timers.started * 65599 + timers.waiting) << 32;
	note_node(s, NODE_NOTE_READ, tgid);
	return 1;
}

static __always_inline void note_node_connect(struct scratch *s, u32 tgid)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);

	if (layout && read_node(s, &s->event.runtime.execution, layout))
		note_node(s, NODE_NOTE_CONNECT, tgid);
}

#endif
