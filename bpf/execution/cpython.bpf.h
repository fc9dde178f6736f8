/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CPython 3.8 and later on glibc: the contextvars context that the thread runs in. Each asyncio task, each callback of its loop and each
 * function given to asyncio.to_thread runs in one of its own; a new one is a copy of the current one.
 * Everything on the way is checked by the process's own memory: the thread state names its thread, the context names its type.
 * Not read: the context that a thread begins with, which nobody entered (uvloop reads in it; greenlets have such ones).
 *
 * words at a socket call: context or 0, 1 if the thread's latest encrypted bytes were received in none, number of the process's latest copy
 * words of CLEW_CPYTHON_COPIED and CLEW_CPYTHON_COPIED_AT_ONCE: context copied from or 0, the copy, number of this copy (from 1, without a
 * gap but for lost events)
 */
#ifndef CLEW_BPF_CPYTHON_H
#define CLEW_BPF_CPYTHON_H

/* Enters `values` of struct clew_runtime_layout. */
enum {
	CPYTHON_PROBED = 0,	  /* tgid that the probe below is attached to: a forked child inherits the layout, but not the probe */
	CPYTHON_KEY = 1,	  /* offset from the thread pointer to the thread-specific value that is the PyThreadState */
	CPYTHON_THREAD_ID = 2,	  /* offset of PyThreadState.thread_id, which is the thread pointer */
	CPYTHON_CONTEXT = 3,	  /* offset of PyThreadState.context */
	CPYTHON_CONTEXT_TYPE = 4, /* address of PyContext_Type */
	CPYTHON_COPIES = 5,	  /* copies so far */
};

/* struct _pycontextobject, the same from 3.8 to 3.14 (Include/internal/pycore_context.h) */
#define CPYTHON_OB_TYPE 8
#define CPYTHON_CTX_ENTERED 40

static __always_inline bool cpython_is_context(struct clew_runtime_layout *layout, u64 context)
{
	u64 type = 0;

	return context != 0 && bpf_probe_read_user(&type, sizeof(type), (void *)(context + CPYTHON_OB_TYPE)) == 0 &&
	       type == layout->values[CPYTHON_CONTEXT_TYPE];
}

/* The context that the current thread has entered, 0 if none. False: the thread is not one of Python's. */
static __always_inline bool cpython_current(struct clew_runtime_layout *layout, u64 *context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 thread = task->thread.fsbase, state = 0, id = 0, found = 0;
	u32 entered = 0;

	*context = 0;
	if (bpf_probe_read_user(&state, sizeof(state), (void *)(thread + layout->values[CPYTHON_KEY])) || state == 0)
		return false;
	if (bpf_probe_read_user(&id, sizeof(id), (void *)(state + layout->values[CPYTHON_THREAD_ID])) || id != thread)
		return false;
	if (bpf_probe_read_user(&found, sizeof(found), (void *)(state + layout->values[CPYTHON_CONTEXT])))
		return false;
	if (found == 0)
		return true;
	if (!cpython_is_context(layout, found))
		return false;
	if (bpf_probe_read_user(&entered, sizeof(entered), (void *)(found + CPYTHON_CTX_ENTERED)) == 0 && entered)
		*context = found;
	return true;
}

static __always_inline bool read_cpython(struct clew_execution *e, struct clew_runtime_layout *layout, u32 tgid)
{
	struct tls_thread *t;
	u64 context;

	if (layout->values[CPYTHON_PROBED] != tgid || !cpython_current(layout, &context))
		return false;
	t = tls_probed ? bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, 0) : NULL;
	e->words[0] = context;
	e->words[1] = t && t->received_outside;
	e->words[2] = *(volatile u64 *)&layout->values[CPYTHON_COPIES];
	return true;
}

#endif
