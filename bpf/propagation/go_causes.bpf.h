/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For which request a Go program asks for a stream of HTTP/2, kept in the kernel, so that the stream carries the context that its span will
 * have. The probes of execution/go_streams tell who serves and who asks; here lies what that comes to, from one probe to the next, and from
 * there to the message. By the rule of agent/correlation/execution/goroutine_streams, but only for what the goroutine that serves asks for
 * itself. What was asked for is decided when it is, not when it is sent.
 */
#ifndef CLEW_BPF_GO_CAUSES_H
#define CLEW_BPF_GO_CAUSES_H

enum go_cause_kind {
	GO_READ_BY = 1,	   /* by the goroutine that has read a stream's head: what the stream has brought … */
	GO_READ_BELOW = 2, /* … by the one that has started that one */
	GO_FRAME = 3,	   /* by the address of grpc-go's frame: what it is asked for … */
	GO_ASKED = 4,	   /* … by the goroutine that writes it, and its stream */
	GO_ASKS = 5,	   /* by the goroutine that has asked, and starts the one that sends */
};
struct go_cause_key {
	u64 goroutine; /* GO_FRAME: an address */
	u32 tgid;
	u32 stream;
	u32 kind;
	u32 padding;
};
struct go_cause {
	u64 trace_id[2]; /* as put_trace_id() takes it */
	u64 connection;	 /* that has brought the request */
	u8 known;
	u8 sampled;
	u8 flags; /* the context that was brought had these; 0: none was */
	u8 padding[5];
};

/*
 * Written when a stream's head is read and where one is asked for; deleted where it begins to be served and when it is sent. Evicted: what
 * is sent for it is left alone. Requests that nobody has begun to serve, or to send.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct go_cause_key);
	__type(value, struct go_cause);
} go_causes SEC(".maps");

static __always_inline u64 go_id(u64 word)
{
	return word & (GO_ID_MAX - 1);
}

/* What the goroutine works for, as far as the kernel knows; not known: nothing is sent for it. */
static __always_inline void go_cause_of(struct go_cause *cause, u32 tgid, u64 goid)
{
	struct worker worker = {.id = goid, .tgid = tgid, .is_goroutine = 1};
	struct work *w = work_of(&worker);

	if (!w || !w->known || w->ambiguous)
		return;
	cause->trace_id[0] = read_hex((struct hex_text *)(w->context.text + TRACE_ID_AT));
	cause->trace_id[1] = read_hex((struct hex_text *)(w->context.text + TRACE_ID_AT + 16));
	cause->connection = w->connection;
	cause->sampled = w->sampled;
	cause->flags = w->received_context ? hex_value(w->context.text[FLAGS_AT + 1]) : 0;
	cause->known = 1;
}

/* A goroutine asks: for a frame of grpc-go's, or for a stream that it starts another to send. */
static __noinline int go_asks_for(u32 kind, u32 tgid, u64 goid, u64 frame)
{
	struct go_cause_key key = {.goroutine = kind == GO_FRAME ? frame : goid, .tgid = tgid, .kind = kind};
	struct go_cause cause = {};

	go_cause_of(&cause, tgid, goid);
	if (cause.known)
		bpf_map_update_elem(&go_causes, &key, &cause, BPF_ANY);
	else
		bpf_map_delete_elem(&go_causes, &key);
	return 0;
}

/* grpc-go's writer is about to send a frame, and its number is known. */
static __noinline int go_writes_for(u32 tgid, u64 frame, u64 writer, u32 stream)
{
	struct go_cause_key key = {.goroutine = frame, .tgid = tgid, .kind = GO_FRAME};
	struct go_cause *found = bpf_map_lookup_elem(&go_causes, &key), cause;

	if (!found)
		return 0;
	cause = *found;
	bpf_map_delete_elem(&go_causes, &key);
	key.goroutine = writer;
	key.stream = stream;
	key.kind = GO_ASKED;
	bpf_map_update_elem(&go_causes, &key, &cause, BPF_ANY);
	return 0;
}

/* A goroutine, started by `parent`, begins to serve the stream. `beside`: that one may have started the reader instead. */
static __noinline int go_serves(u32 tgid, u64 goid, u64 parent, u32 stream, bool beside)
{
	struct go_cause_key key = {.goroutine = parent, .tgid = tgid, .stream = stream, .kind = GO_READ_BY};
	struct worker worker = {.id = goid, .tgid = tgid, .is_goroutine = 1};
	struct go_cause *found = bpf_map_lookup_elem(&go_causes, &key);
	struct work work = {};

	if (!found && beside) {
		key.kind = GO_READ_BELOW;
		found = bpf_map_lookup_elem(&go_causes, &key);
	}
	if (!found || !found->known)
		return 0;
	work.connection = found->connection;
	work.time_ns = bpf_ktime_get_ns();
	work.known = 1;
	work.sampled = found->sampled;
	work.received_context = found->flags != 0;
	put_trace_id(&work.context, found->trace_id[0], found->trace_id[1]);
	work.context.text[FLAGS_AT] = '0';
	work.context.text[FLAGS_AT + 1] = '0' + (found->flags & 3);
	bpf_map_delete_elem(&go_causes, &key);
	begin_work(&worker, &work);
	return 0;
}

/* What a goroutine sends on that stream is asked for by whom? CAUSE_FOUND: `cause` is what for. */
static __noinline int go_stream_cause(struct scratch *s, struct go_cause *cause, u32 stream)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &s->tgid);
	struct go_cause_key key = {.tgid = s->tgid, .stream = stream, .kind = GO_ASKED};
	struct go_cause *found;

	if (!cause || !layout || !go_read(&s->execution, layout, &s->go, false))
		return false;
	key.goroutine = s->execution.words[0];
	found = bpf_map_lookup_elem(&go_causes, &key);
	if (!found) {
		key.goroutine = go_id(s->execution.words[1]);
		key.stream = 0;
		key.kind = GO_ASKS;
		found = bpf_map_lookup_elem(&go_causes, &key);
	}
	if (!found || !found->known)
		return false;
	*cause = *found;
	if (key.kind == GO_ASKED)
		bpf_map_delete_elem(&go_causes, &key);
	return true;
}

#endif
