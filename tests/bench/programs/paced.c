// SPDX-License-Identifier: Apache-2.0
// A client that keeps a rate: requests leave by a fixed schedule on a few kept connections; prints the times of the answers in ns.
// usage: paced PORT PATH CONNECTIONS REQUESTS_PER_SECOND SECONDS [traced] → one line of JSON. traced: each request has a trace context. An
// answer's time runs from its send() to its last byte. At a rate of 0 each connection asks again as soon as it is answered, and the client
// never sleeps: a server pays for waking a client that sleeps, and a slower one pays more often, which is much in a virtual machine and
// none of the tracer's.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { kMaxConnections = 64, kBuffer = 4096, kRateMax = 2000000 };

typedef struct {
  int fd;
  int64_t sent;  // ns; 0: idle
  size_t have;   // bytes of the answer in buffer
  char buffer[kBuffer];
} Connection;

static Connection connections[kMaxConnections];

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void open_connection(Connection* c, int epoll, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr*)&to, sizeof to) < 0) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl");
  c->sent = 0;
  c->have = 0;
}

// The length of a complete answer at the beginning of the buffer; 0: not yet there. The servers here all send a Content-Length.
static size_t complete(Connection* c) {
  c->buffer[c->have] = 0;
  const char* end = strstr(c->buffer, "\r\n\r\n");
  if (!end) return 0;
  const char* length = strcasestr(c->buffer, "\r\ncontent-length:");
  if (!length || length > end) {
    fprintf(stderr, "paced: an answer without Content-Length\n");
    exit(1);
  }
  size_t total = (size_t)(end + 4 - c->buffer) + strtoul(length + 17, NULL, 10);
  return c->have >= total ? total : 0;
}

static int by_value(const void* a, const void* b) {
  int64_t x = *(const int64_t*)a, y = *(const int64_t*)b;
  return (x > y) - (x < y);
}

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) return fprintf(stderr, "usage: paced PORT PATH CONNECTIONS RATE SECONDS [traced]\n"), 2;
  const int port = atoi(argv[1]), count = atoi(argv[3]);
  const bool saturates = atof(argv[4]) == 0;
  const double rate = saturates ? kRateMax : atof(argv[4]), seconds = atof(argv[5]);
  if (count < 1 || count > kMaxConnections || rate <= 0) return 2;
  char request[512];
  const char* const context = argc == 7 ? "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n" : "";
  const int request_length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", argv[2], context);
  prctl(PR_SET_TIMERSLACK, 1UL);  // ns; the default of 50 us would blur the schedule
  const int epoll = epoll_create1(0);
  for (int i = 0; i < count; ++i) open_connection(&connections[i], epoll, port);

  const size_t wanted = (size_t)(rate * seconds);
  int64_t* times = malloc((wanted + 1) * sizeof *times);
  if (!times) fail("malloc");
  const double gap = 1e9 / rate;
  const int64_t begin = now();
  size_t sent = 0, done = 0, late = 0, next = 0, reopened = 0;
  while (done < wanted) {
    const int64_t current = now();
    if (current - begin > (int64_t)(seconds * (saturates ? 1e9 : 2e9))) break;  // hopelessly behind: what is there counts
    const int64_t due = begin + (int64_t)((double)sent * gap);
    Connection* idle = NULL;
    if (sent < wanted && current >= due)
      for (int i = 0; i < count && !idle; ++i)
        if (!connections[(next + (size_t)i) % (size_t)count].sent) idle = &connections[(next + (size_t)i) % (size_t)count];
    if (idle) {
      next = (size_t)(idle - connections) + 1;
      late += current > due + (int64_t)gap;
      idle->sent = now();
      if (send(idle->fd, request, (size_t)request_length, MSG_NOSIGNAL) != request_length) fail("send");
      ++sent;
    }
    // With a request due and a connection free it goes on at once; else it sleeps until one of the two comes.
    int64_t wait = sent < wanted ? begin + (int64_t)((double)sent * gap) - now() : 1000000000;
    if (wait < 0) wait = idle || saturates ? 0 : 1000000000;
    struct timespec limit = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
    struct epoll_event events[kMaxConnections];
    const int ready = epoll_pwait2(epoll, events, kMaxConnections, &limit, NULL);
    for (int i = 0; i < ready; ++i) {
      Connection* c = events[i].data.ptr;
      const ssize_t got = recv(c->fd, c->buffer + c->have, kBuffer - 1 - c->have, 0);
      if (got <= 0) {  // the server ended the connection (a limit of requests): a new one takes its place
        if (c->sent) --sent;
        close(c->fd);
        open_connection(c, epoll, port);
        ++reopened;
        continue;
      }
      c->have += (size_t)got;
      if (!c->sent || !complete(c)) continue;
      times[done++] = now() - c->sent;
      c->sent = 0;
      c->have = 0;
    }
  }
  const double took = (double)(now() - begin) / 1e9;
  if (done == 0) return fprintf(stderr, "paced: no answer\n"), 1;
  qsort(times, done, sizeof *times, by_value);
  printf("{\"requests\": %zu, \"rate\": %.0f, \"late\": %zu, \"reopened\": %zu, \"p50\": %lld, \"p90\": %lld, \"p99\": %lld}\n", done,
         (double)done / took, late, reopened, (long long)times[done / 2], (long long)times[done * 9 / 10],
         (long long)times[done * 99 / 100]);
  return 0;
}
