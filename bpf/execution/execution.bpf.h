/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which execution (goroutine, task, callback) of a runtime makes a call: plain reads of the process's memory, at the addresses that user
 * space has found and put into `runtimes`. One file per runtime; it says what its words and its layout mean.
 */
#ifndef CLEW_BPF_EXECUTION_H
#define CLEW_BPF_EXECUTION_H

#include "node.bpf.h"

/* Fills s->execution. False: nothing there, and then no rule of that runtime holds for the call. */
static __always_inline bool read_execution(struct scratch *s, u32 runtime, u32 tgid)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);

	if (!layout)
		return false;
	switch (runtime) {
	case CLEW_RUNTIME_NODE:
		return read_node(s, &s->execution, layout);
	}
	return false;
}

#endif
