/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobes in a Go program, where a stream of HTTP/2 meets the goroutine that works for it. Why: one goroutine reads a connection's requests
 * for all that serve them, and in grpc-go one writes for all that ask; who that is says nothing. Once per stream and side, twice in
 * grpc-go's client, where executeAndPut has a hit for each other frame, too, that ends at once.
 *
 * serves: the goroutine that begins to serve a stream. asks: the goroutine that wants one; its number is known later.
 * What is read is checked: a stream that clients open has an odd number; the stream of net/http names the connection that serves it.
 * Misses: grpc-go's workers (NumStreamWorkers), which are not children of the reader. Needs no kernel newer than 6.1.
 */

#define GO_STREAM_LOW_BITS 20
#define GO_GRPC_STREAM_STATE 104 /* in transport.Stream of newer versions of grpc-go; the stream's number follows */
#define GO_GRPC_STATES 4
#define GO_FRAME_NUMBER_MAX (1u << 31)

static __always_inline bool go_is_clients(u64 stream)
{
	return (stream & 1) && stream < GO_FRAME_NUMBER_MAX;
}

/* words: 0 goid | the stream's high bits; 1 as in go.bpf.h; 2 `writer` | its low bits. Numbers of goroutines are below GO_ID_MAX. */
static __always_inline void go_note(struct scratch *s, u8 what, const struct clew_execution *e, u64 writer, u32 stream)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	struct clew_event_runtime note = {.type = CLEW_EVENT_RUNTIME, .what = what, .tgid = (u32)(pid_tgid >> 32), .tid = (u32)pid_tgid};

	note.time_ns = bpf_ktime_get_ns();
	note.execution.runtime = CLEW_RUNTIME_GO;
	note.execution.words[0] = e->words[0] | (u64)(stream >> GO_STREAM_LOW_BITS) << GO_ID_BITS;
	note.execution.words[1] = e->words[1];
	note.execution.words[2] = writer | (u64)(stream & ((1u << GO_STREAM_LOW_BITS) - 1)) << GO_ID_BITS;
	submit(s, &note, sizeof(note), CLEW_LOSS_RING_FULL);
}

/* The goroutine that runs the probed code. */
static __always_inline bool go_probed_goroutine(struct scratch *s, u32 tgid, struct clew_execution *e)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	struct go_work work; /* not per CPU: another task's probe can come between */

	if (!layout)
		return false;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	return go_read(e, layout, &work, false) != 0;
}

/* The number of a transport.Stream, or of a ServerStream, which has one: by its address, in newer versions within it. 0: not as expected.
 */
static __always_inline u32 go_grpc_stream(u64 address)
{
	u64 first = 0, inner = 0;
	u32 state[2] = {};

	if (bpf_probe_read_user(&first, sizeof(first), (void *)address))
		return 0;
	if (go_is_clients(first)) /* else a pointer, which is even */
		return (u32)first;
	if (bpf_probe_read_user(&inner, sizeof(inner), (void *)first))
		return 0;
	if (go_is_clients(inner))
		return (u32)inner;
	if (bpf_probe_read_user(state, sizeof(state), (void *)(address + GO_GRPC_STREAM_STATE)))
		return 0;
	return state[0] < GO_GRPC_STATES && go_is_clients(state[1]) ? state[1] : 0;
}

/* google.golang.org/grpc.(*Server).handleStream(transport, stream): the goroutine was started by the one that reads the connection. */
SEC("uprobe")
int uprobe__go_grpc_serves(struct pt_regs *regs)
{
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct clew_execution e = {};
	u32 stream;

	OWN_STACK(regs, no_probe);
	if (!s || !go_probed_goroutine(s, (u32)(bpf_get_current_pid_tgid() >> 32), &e))
		return 0;
	stream = go_grpc_stream(regs->di);
	if (!stream)
		return 0;
	if (injecting)
		go_serves((u32)(bpf_get_current_pid_tgid() >> 32), e.words[0], go_id(e.words[1]), stream, false);
	go_note(s, CLEW_GO_SERVES_READERS, &e, 0, stream);
	return 0;
}

/* http2.(*serverConn).runHandler(*responseWriter, …): the goroutine was started by the one that has started the reader. */
SEC("uprobe")
int uprobe__go_http2_serves(struct pt_regs *regs)
{
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	u64 state = 0, address = 0;
	struct { /* http2.stream, its beginning */
		u64 connection;
		u32 number;
		u32 not_used;
	} stream = {};
	struct clew_execution e = {};

	OWN_STACK(regs, no_probe);
	if (!s || !go_probed_goroutine(s, (u32)(bpf_get_current_pid_tgid() >> 32), &e))
		return 0;
	if (bpf_probe_read_user(&state, sizeof(state), (void *)regs->bx) || bpf_probe_read_user(&address, sizeof(address), (void *)state) ||
	    bpf_probe_read_user(&stream, sizeof(stream), (void *)address))
		return 0;
	if (stream.connection != regs->ax || !go_is_clients(stream.number))
		return 0;
	if (injecting)
		go_serves((u32)(bpf_get_current_pid_tgid() >> 32), e.words[0], go_id(e.words[1]), stream.number, true);
	go_note(s, CLEW_GO_SERVES, &e, 0, stream.number);
	return 0;
}

/* http2.(*ClientConn).roundTrip(request): the goroutine starts another, that sends. */
SEC("uprobe")
int uprobe__go_http2_asks(struct pt_regs *regs)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct clew_execution e = {};

	OWN_STACK(regs, no_probe);
	if (!s || !go_probed_goroutine(s, tgid, &e))
		return 0;
	if (injecting)
		go_asks_for(GO_ASKS, tgid, e.words[0], 0);
	go_note(s, CLEW_GO_ASKS, &e, 0, 0);
	return 0;
}

/* transport.(*controlBuffer).executeAndPut(f, frame): frames for the connection's writer. Those of new streams come with a function, which
 * numbers them, and without a number. */
SEC("uprobe")
int uprobe__go_grpc_asks(struct pt_regs *regs)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	struct go_frame key = {.address = regs->di, .tgid = tgid};
	struct go_asker asker = {};
	struct clew_execution e = {};
	struct scratch *s;
	u32 stream = 0;

	OWN_STACK(regs, no_probe);
	if (!regs->bx || !regs->di || bpf_probe_read_user(&stream, sizeof(stream), (void *)regs->di) || stream)
		return 0; /* of a stream that is there already */
	s = scratch_of(SCRATCH_PROBE);
	if (!s)
		return 0;
	if (!go_probed_goroutine(s, tgid, &e)) {
		bpf_map_delete_elem(&go_askers, &key);
		return 0;
	}
	if (injecting)
		go_asks_for(GO_FRAME, tgid, e.words[0], regs->di);
	asker.goid = e.words[0];
	asker.origin = e.words[1];
	if (bpf_map_update_elem(&go_askers, &key, &asker, BPF_ANY))
		lose(s, CLEW_LOSS_GO_CALLERS, 1);
	return 0;
}

/* transport.(*loopyWriter).clientHeaderHandler(frame), headerHandler in older versions: the writer is about to send it; it has its number
 * now. */
SEC("uprobe")
int uprobe__go_grpc_writes(struct pt_regs *regs)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32), stream = 0;
	struct go_frame key = {.address = regs->bx, .tgid = tgid};
	struct go_asker *asker = bpf_map_lookup_elem(&go_askers, &key);
	struct scratch *s = scratch_of(SCRATCH_PROBE);
	struct clew_execution e = {};
	u64 writer;

	OWN_STACK(regs, no_probe);
	if (!asker || !s)
		return 0;
	if (go_probed_goroutine(s, tgid, &e) && !bpf_probe_read_user(&stream, sizeof(stream), (void *)regs->bx) && go_is_clients(stream)) {
		writer = e.words[0];
		if (injecting)
			go_writes_for(tgid, regs->bx, writer, stream);
		e.words[0] = asker->goid;
		e.words[1] = asker->origin;
		go_note(s, CLEW_GO_ASKS, &e, writer, stream);
	}
	bpf_map_delete_elem(&go_askers, &key);
	return 0;
}
