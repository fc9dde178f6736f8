/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A walk of frames to which nothing is added. Stands behind the definition of http1_emit(). */
#ifndef CLEW_BPF_TESTING_ADDS_NOTHING_H
#define CLEW_BPF_TESTING_ADDS_NOTHING_H

static u32 http2_frame_begins(struct http2_view *h, u32 at)
{
	(void)h;
	(void)at;
	return 0;
}

static void http2_lengthen(struct http2_view *h, u32 at)
{
	(void)h;
	(void)at;
}

static bool http2_add(struct http2_view *h, bool those)
{
	(void)h;
	(void)those;
	return true;
}

static bool http2_has_added(struct http2_view *h)
{
	(void)h;
	return false;
}

static void http2_emit(struct http2_view *h)
{
	http1_emit(&h->v, h->v.w->offset);
}

#endif
