/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * uretprobe on PyContext_CopyCurrent of one process (attached by user space): from which context a new one comes. Runs with the
 * interpreter's lock held, so that the numbers of the copies and their places in the ring agree. The exported function has been there
 * since 3.7, is what asyncio, uvloop and contextvars.copy_context() call, and runs once or twice for each task or callback.
 * Misses: Context.copy() and Context(), which asyncio does not use.
 */

SEC("uretprobe")
int uretprobe__cpython_copied(struct pt_regs *ctx)
{
	u64 pid_tgid = bpf_get_current_pid_tgid(), copy = ctx->ax, parent;
	u32 tgid = (u32)(pid_tgid >> 32);
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct clew_event_runtime e = {.type = CLEW_EVENT_RUNTIME, .what = CLEW_CPYTHON_COPIED, .tgid = tgid, .tid = (u32)pid_tgid};
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct tls_thread *t;

	OWN_STACK(ctx, no_probe);
	if (!layout || !s || layout->values[CPYTHON_PROBED] != tgid)
		return 0;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!cpython_is_context(layout, copy))
		return 0;
	t = tls_probed ? bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0) : NULL;
	if (t && !t->moved_since)
		e.what = CLEW_CPYTHON_COPIED_AT_ONCE;
	cpython_current(layout, &parent);
	e.time_ns = bpf_ktime_get_ns();
	e.execution.runtime = CLEW_RUNTIME_CPYTHON;
	e.execution.words[0] = parent;
	e.execution.words[1] = copy;
	e.execution.words[2] = __sync_fetch_and_add(&layout->values[CPYTHON_COPIES], 1) + 1;
	submit(s, &e, sizeof(e), CLEW_LOSS_RING_FULL);
	return 0;
}
