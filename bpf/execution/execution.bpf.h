/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which execution (goroutine, task, callback) of a runtime makes a call: plain reads of the process's memory, at the addresses that user
 * space has found and put into `runtimes`. One file per runtime; it says what its words and its layout mean.
 */
#ifndef CLEW_BPF_EXECUTION_H
#define CLEW_BPF_EXECUTION_H

#include "execution/go.bpf.h"
#include "execution/cpython.bpf.h"
#include "execution/node.bpf.h"
#include "execution/jvm.bpf.h"
#include "execution/haproxy.bpf.h"
#include "execution/tokio.bpf.h"
#include "execution/loop.bpf.h"

/* Who sends a response says nothing where the rule goes by who has read the request. */
static __always_inline bool asks_who_responds(u8 runtime)
{
	return runtime == CLEW_RUNTIME_CPYTHON || runtime == CLEW_RUNTIME_JVM || runtime == CLEW_RUNTIME_NODE;
}

/* Fills s->execution. False: nothing there, or nothing that is asked for, and then no rule of that runtime holds for the call. */
static __always_inline bool read_execution(struct scratch *s, const struct connection *c)
{
	bool responds = s->walk.direction == CLEW_EGRESS && c->http.request_direction == 1 + CLEW_INGRESS;
	struct clew_execution *e = &s->execution;
	struct clew_runtime_layout *layout;
	u32 tgid = s->tgid; /* on the stack: kernels before 6.2 take keys from fewer places */

	if (responds && !asks_who_responds(c->runtime))
		return false;
	if (s->turn)
		return true;
	layout = bpf_map_lookup_elem(&runtimes, &tgid);
	if (!layout)
		return false;
	e->runtime = c->runtime;
	e->padding = 0;
	switch (c->runtime) {
	case CLEW_RUNTIME_GO:
		return go_read(e, layout, &s->go, s->walk.direction == CLEW_INGRESS) != 0;
	case CLEW_RUNTIME_CPYTHON:
		return read_cpython(e, layout, s->tgid);
	case CLEW_RUNTIME_JVM:
		return read_jvm(e, layout, s->tid);
	case CLEW_RUNTIME_NODE:
		return !(responds && layout->values[NODE_READ_REQUESTS]) && read_node(s, e, layout);
	case CLEW_RUNTIME_HAPROXY: /* asked for below, where the connection is known */
		__builtin_memset(e->words, 0, sizeof(e->words));
		return true;
	case CLEW_RUNTIME_TOKIO:
		return read_tokio(s, e, layout, s->walk.direction == CLEW_EGRESS && c->http.request_direction == 1 + CLEW_EGRESS);
	case CLEW_RUNTIME_LOOP:
		e->words[0] = loop_turn(layout);
		e->words[1] = e->words[2] = 0;
		return true;
	}
	return false;
}

#endif
