/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests without a trace context whose client is traced on this node, too: user space will hang the server's span below the client's, by
 * the byte of the connection at which the request begins. So the kernel must not begin another trace there.
 * The hook that tells of a send fires when the server may have read already: then the context is not known, and what the server sends for
 * it is left alone.
 */
#ifndef CLEW_BPF_LOCAL_CLIENT_H
#define CLEW_BPF_LOCAL_CLIENT_H

/* A TCP connection, by the sequence numbers of its first bytes: of the client's, and of the server's. */
struct wire {
	u32 requests;
	u32 responses;
};

/* The latest request of a client that carries no context. */
struct local_client {
	u32 begins; /* position of its first byte */
	u8 known;
	u8 sampled;
	u8 padding[2];
	struct traceparent context;
};

/*
 * Connections of traced clients. Written when they begin and with each such request, deleted with their sockets; evicted when they are
 * many: then their servers seem to have no client here.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct wire);
	__type(value, struct local_client);
} local_clients SEC(".maps");

/* Before it sends anything. */
static __always_inline void local_client_connects(u32 requests, u32 responses)
{
	struct wire wire = {.requests = requests, .responses = responses};
	struct local_client client = {.begins = ~0u};

	bpf_map_update_elem(&local_clients, &wire, &client, BPF_ANY);
}

static __always_inline void local_client_ends(struct connection *c)
{
	struct wire wire = {.requests = c->base[CLEW_EGRESS], .responses = c->base[CLEW_INGRESS]};

	if (c->http.request_direction == 1 + CLEW_EGRESS && c->has_base)
		bpf_map_delete_elem(&local_clients, &wire);
}

/* The context that a request without one has from its client here, into `w`. False: it has none. */
static __always_inline bool local_context(struct connection *c, struct work *w, u32 begins)
{
	struct wire wire = {.requests = c->base[CLEW_INGRESS], .responses = c->base[CLEW_EGRESS]};
	struct local_client *client;

	if (!c->has_base && !c->tls) { /* a Unix socket */
		w->known = 0;
		return true;
	}
	client = bpf_map_lookup_elem(&local_clients, &wire);
	if (!client)
		return false;
	if (!client->known || client->begins != begins) {
		w->known = 0;
		return true;
	}
	w->sampled = client->sampled;
	__builtin_memcpy(w->context.text, client->context.text, sizeof(w->context.text));
	return true;
}

#endif
