/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobes in Node.js, where its HTTP/2 hands on a frame, and where a request or a response is given to nghttp2. Why: one read brings frames
 * of many streams, and one write, in an immediate, takes the requests of all. In between JavaScript runs once for each frame, with all
 * its microtasks and ticks: what it asks for then is asked for in the callback of that frame. Once per frame and message. Misses: sessions
 * of worker threads.
 *
 * words of the notes: 0 and 1 as said there; 2 bits 48-63: number of the note, without a gap but for lost events; the rest as said there
 */

#define NODE_STREAM_NOTE_SHIFT 48
#define NODE_FRAME_STREAM 8 /* of nghttp2_frame_hd: a length, then the stream's number */
#define NODE_FRAME_IN_TURN (1ull << 32)

static __always_inline void node_stream_note(struct scratch *s, struct clew_runtime_layout *layout, u8 what,
					     const struct clew_execution *words)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	struct clew_event_runtime e = {.type = CLEW_EVENT_RUNTIME, .what = what, .tgid = (u32)(pid_tgid >> 32), .tid = (u32)pid_tgid};

	e.time_ns = bpf_ktime_get_ns();
	e.execution.runtime = CLEW_RUNTIME_NODE;
	e.execution.words[0] = words->words[0];
	e.execution.words[1] = words->words[1];
	e.execution.words[2] = words->words[2] | (++layout->values[NODE_STREAM_NOTES]) << NODE_STREAM_NOTE_SHIFT;
	submit(s, &e, sizeof(e), CLEW_LOSS_RING_FULL);
}

/* words: session, stream, NODE_FRAME_IN_TURN and the low bits of the read's number */
static __always_inline int node_stream(u8 what, u64 session, u32 stream)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct clew_execution words = {};
	struct scratch *s;

	if (!layout || !is_main_thread())
		return 0;
	s = tls_take_scratch();
	if (!s) {
		layout->values[NODE_STREAM_NOTES]++; /* user space sees the gap */
		return 0;
	}
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	words.words[0] = session;
	words.words[1] = stream;
	words.words[2] = layout->values[NODE_READ_NUMBER] & 0xffff;
	if (layout->values[NODE_READ_STACK] && in_poll(layout) &&
	    sum_of_frames(s, layout->values[NODE_READ_STACK]) == layout->values[NODE_READ_FRAMES])
		words.words[2] |= NODE_FRAME_IN_TURN;
	node_stream_note(s, layout, what, &words);
	give_back(s);
	return 0;
}

/* node::http2::Http2Session::OnFrameReceive(session, frame, …) */
SEC("uprobe")
int uprobe__node_frame(struct pt_regs *regs)
{
	u32 stream = 0;

	OWN_STACK(regs, no_probe);
	bpf_probe_read_user(&stream, sizeof(stream), (void *)(regs->si + NODE_FRAME_STREAM)); /* 0: nobody's */
	return node_stream(CLEW_NODE_FRAME, regs->di, stream);
}

/* OnDataChunkReceived(session, flags, stream, …) */
SEC("uprobe")
int uprobe__node_chunk(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return node_stream(CLEW_NODE_FRAME, regs->di, (u32)regs->dx);
}

/* OnStreamClose(session, stream, …) */
SEC("uprobe")
int uprobe__node_close(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return node_stream(CLEW_NODE_FRAME, regs->di, (u32)regs->si);
}

/* nghttp2_session_mem_send(session, …): all frames are handed on; what runs now has waited for a write. */
SEC("uprobe")
int uprobe__node_sends(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return node_stream(CLEW_NODE_FRAME, regs->di, 0);
}

/* nghttp2_submit_response(session, stream, …) */
SEC("uprobe")
int uprobe__node_responds(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return node_stream(CLEW_NODE_RESPONDS, regs->di, (u32)regs->si);
}

/* nghttp2_submit_request(session, …). words: as of a call, but 2: session */
SEC("uprobe")
int uprobe__node_asks(struct pt_regs *regs)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct clew_execution e = {};
	struct scratch *s;

	OWN_STACK(regs, no_probe);
	if (!layout || !is_main_thread())
		return 0;
	s = tls_take_scratch();
	if (!s) {
		layout->values[NODE_STREAM_NOTES]++;
		return 0;
	}
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!read_node(s, &e, layout))
		e.words[0] = e.words[1] = 0; /* not in a turn */
	e.words[2] = regs->di;
	node_stream_note(s, layout, CLEW_NODE_ASKS, &e);
	give_back(s);
	return 0;
}

/* It returns the stream's number, or an error. */
SEC("uretprobe")
int uretprobe__node_asked(struct pt_regs *regs)
{
	OWN_STACK(regs, no_probe);
	return node_stream(CLEW_NODE_ASKED, 0, (s32)regs->ax > 0 ? (u32)regs->ax : 0);
}
