// SPDX-License-Identifier: Apache-2.0
// An HTTP server that accepts, receives and sends by io_uring alone. Usage: uring PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kAccept, kRecv, kSend, kConnectionsMax = 256, kBuffer = 16384 };

struct connection {
  int fd;
  size_t have;
  char in[kBuffer];
};

static struct connection connections[kConnectionsMax];
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nuring\n";

static void submit_accept(struct io_uring* ring, int listener) {
  struct io_uring_sqe* sqe = io_uring_get_sqe(ring);
  io_uring_prep_accept(sqe, listener, NULL, NULL, 0);
  sqe->user_data = (unsigned long)kAccept << 32;
}

static void submit_recv(struct io_uring* ring, int index) {
  struct connection* c = &connections[index];
  struct io_uring_sqe* sqe = io_uring_get_sqe(ring);
  io_uring_prep_recv(sqe, c->fd, c->in + c->have, sizeof(c->in) - 1 - c->have, 0);
  sqe->user_data = (unsigned long)kRecv << 32 | (unsigned)index;
}

static void submit_send(struct io_uring* ring, int index) {
  struct io_uring_sqe* sqe = io_uring_get_sqe(ring);
  io_uring_prep_send(sqe, connections[index].fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
  sqe->user_data = (unsigned long)kSend << 32 | (unsigned)index;
}

// The length of the first whole request in the buffer, or 0.
static size_t whole_request(struct connection* c) {
  c->in[c->have] = 0;
  char* end = strstr(c->in, "\r\n\r\n");
  if (!end) return 0;
  char* length = strcasestr(c->in, "\r\nContent-Length:");
  size_t size = (size_t)(end + 4 - c->in) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
  return c->have >= size ? size : 0;
}

static int free_index(void) {
  for (int i = 0; i < kConnectionsMax; i++)
    if (connections[i].fd == 0) return i;
  return -1;
}

int main(int argc, char** argv) {
  struct io_uring ring;
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(listener, (struct sockaddr*)&a, sizeof(a)) || listen(listener, 64)) return perror("uring: listen"), 1;
  int error = io_uring_queue_init(512, &ring, 0);
  if (error) return printf("uring: %s\n", strerror(-error)), 1;
  puts("uring: ready");
  fflush(stdout);
  submit_accept(&ring, listener);
  for (;;) {
    struct io_uring_cqe* cqe;
    if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe)) continue;
    const int what = (int)(cqe->user_data >> 32), index = (int)(cqe->user_data & 0xffffffff), result = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    struct connection* c = &connections[index];
    if (what == kAccept) {
      const int at = free_index();
      if (result >= 0 && at >= 0) {
        connections[at].fd = result;
        connections[at].have = 0;
        submit_recv(&ring, at);
      }
      submit_accept(&ring, listener);
    } else if (result <= 0) {
      close(c->fd);
      c->fd = 0;
    } else if (what == kRecv) {
      c->have += (size_t)result;
      size_t size = whole_request(c);
      if (size) {
        memmove(c->in, c->in + size, c->have - size);
        c->have -= size;
        submit_send(&ring, index);
      } else {
        submit_recv(&ring, index);
      }
    } else {
      submit_recv(&ring, index);
    }
  }
}
