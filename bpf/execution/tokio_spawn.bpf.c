/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobes in one process (attached by user space), once or twice per task: which task has spawned it. On OwnedTasks::bind_inner, which may
 * be inlined, on schedule_option_task_without_yield of the scheduler with several threads, and on blocking::pool::Spawner::spawn_task. Why:
 * nothing in a task's memory names the one that has started it. These functions are the same for all kinds of futures and are called before
 * the task runs for the first time, with the new one's header in RSI. The probed instruction is one that the kernel emulates. Misses:
 * LocalSet.
 */

static __always_inline int tokio_spawned(struct pt_regs *regs, u8 what)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 tgid = (u32)(pid_tgid >> 32);
	struct task_struct *task = bpf_get_current_task_btf();
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct clew_event_runtime e = {.type = CLEW_EVENT_RUNTIME, .what = what, .tgid = tgid, .tid = (u32)pid_tgid};
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct tokio_task spawned;
	u64 current;

	if (!layout || !s)
		return 0;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!tokio_current(layout, task->thread.fsbase, &current))
		return 0;
	e.execution.runtime = CLEW_RUNTIME_TOKIO;
	e.execution.words[0] = current;
	e.execution.words[1] = tokio_task_at(&spawned, regs->si);
	if (!e.execution.words[1])
		return 0;
	e.time_ns = bpf_ktime_get_ns();
	submit(s, &e, sizeof(e), CLEW_LOSS_RING_FULL);
	return 0;
}

SEC("uprobe")
int uprobe__tokio_spawn(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return tokio_spawned(regs, TOKIO_NOTE_SPAWNED);
}

SEC("uprobe")
int uprobe__tokio_spawn_blocking(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return tokio_spawned(regs, TOKIO_NOTE_BLOCKING);
}
