/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The loop of a proxy (nginx) of which nothing is read but the kernel's own data: a thread that has slept since it has read something, or
 * has read a datagram (an answer of DNS), acts for something else now. words: 0 the number of the turn, 32 bits, seldom 0. One turn may
 * have two numbers, where something in it had to wait; two turns have the same where nothing had to.
 */
#ifndef CLEW_BPF_LOOP_H
#define CLEW_BPF_LOOP_H

enum loop_layout {
	LOOP_DATAGRAMS = 8, /* the kernel's own: how many were read */
};

static __always_inline u32 loop_turn(const struct clew_runtime_layout *layout)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return (u32)task->nvcsw + (u32)layout->values[LOOP_DATAGRAMS] + 1;
}

/* Of the thread that makes this call; 0: not known. */
static __always_inline u32 loop_turn_of(u32 tgid)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);

	return layout ? loop_turn(layout) : 0;
}

/* Something else than a stream was read. */
static __noinline int loop_datagram(u32 tgid)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &tgid);
	struct clew_runtime_layout *layout;

	if (!p || p->runtime != CLEW_RUNTIME_LOOP)
		return 0;
	layout = bpf_map_lookup_elem(&runtimes, &tgid);
	if (layout)
		layout->values[LOOP_DATAGRAMS]++;
	return 0;
}

#endif
