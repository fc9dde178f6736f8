/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HotSpot (JDK 24 and later, glibc): the virtual thread that makes a call. Its carrier's JavaThread, which a thread-local variable of
 * libjvm points to, keeps the number of whom it runs (java.lang.Thread.threadId(), never given out twice) for the owners of monitors, and
 * the entry of the continuation while that is a virtual thread. Proved by the JavaThread, which names its thread. Of a platform thread
 * nothing is read.
 *
 * words: number of the virtual thread, 0, 0
 */
#ifndef CLEW_BPF_JVM_H
#define CLEW_BPF_JVM_H

/* Enters `values` of struct clew_runtime_layout; offsets are those of the fields. */
enum jvm_layout {
	JVM_MODULE = 0,	      /* offset of libjvm's entry in a thread's dynamic thread vector */
	JVM_VARIABLE = 1,     /* offset of the variable in its block */
	JVM_OSTHREAD = 2,     /* Thread::_osthread */
	JVM_THREAD_ID = 3,    /* OSThread::_thread_id */
	JVM_CONTINUATION = 4, /* JavaThread::_cont_entry */
	JVM_OWNER = 5,	      /* JavaThread::_monitor_owner_id */
};

#define GLIBC_DTV 8 /* tcbhead_t.dtv */

static __always_inline u64 jvm_word(u64 address)
{
	u64 word = 0;

	return address && bpf_probe_read_user(&word, sizeof(word), (void *)address) == 0 ? word : 0;
}

static __noinline int read_jvm(struct clew_execution *e, struct clew_runtime_layout *layout, u32 tid)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 vector, block, thread, os_thread;
	u32 id = 0;

	if (!e || !layout)
		return false;
	vector = jvm_word(task->thread.fsbase + GLIBC_DTV);
	if (!vector)
		return false;
	block = jvm_word(vector + layout->values[JVM_MODULE]);
	if (!block)
		return false;
	thread = jvm_word(block + layout->values[JVM_VARIABLE]);
	if (!thread || !jvm_word(thread + layout->values[JVM_CONTINUATION]))
		return false;
	os_thread = jvm_word(thread + layout->values[JVM_OSTHREAD]);
	if (bpf_probe_read_user(&id, sizeof(id), (void *)(os_thread + layout->values[JVM_THREAD_ID])) || id != tid)
		return false;
	e->words[0] = jvm_word(thread + layout->values[JVM_OWNER]);
	e->words[1] = 0;
	e->words[2] = 0;
	return e->words[0] != 0;
}

#endif
