// SPDX-License-Identifier: Apache-2.0
// Times a send+recv pair of 200 B on one TCP loopback connection, and a getpid loop, in one thread; commanded by lines on stdin.
// Commands: `foreign SECONDS` (bytes that are no HTTP), `body SECONDS` (inside an endless request body), `head SECONDS` (a request, then
// its response, each a head: ns of both by two), `context SECONDS` (the same with a traceparent in the request), `getpid SECONDS`, each
// answered by one line: ns per turn. The clock is the thread's CPU time, so that other programs on the core do not count; of many short
// chunks the 10th percentile is given, which interruptions do not reach.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kPayload = 200, kPairsPerChunk = 500, kCallsPerChunk = 20000, kMaxChunks = 100000 };

#define kRequest "GET /some/path HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: pair/1.0 (bench)\r\nAccept: */*\r\n"
#define kContext "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
#define kRequestEnd "X-Request-Id: 0123456789abcdef\r\n\r\n"
static const char kResponse[] = "HTTP/1.1 200 OK\r\nServer: pair\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";

static int64_t clock_of(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void exchange(int from, int to, const char* data, size_t length) {
  static char sink[kPayload * 4];
  if (send(from, data, length, 0) != (ssize_t)length) fail("send");
  for (size_t got = 0; got < length;) {  // more, where something was added: it comes in the same segment
    const ssize_t n = recv(to, sink, sizeof sink, 0);
    if (n <= 0) fail("recv");
    got += (size_t)n;
  }
}

static void connect_pair(int ends[2]) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int one = 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr*)&at, size) < 0 || listen(listener, 4) < 0) fail("listen");
  getsockname(listener, (struct sockaddr*)&at, &size);
  ends[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(ends[0], (struct sockaddr*)&at, sizeof at) < 0) fail("connect");
  ends[1] = accept(listener, NULL, NULL);
  if (ends[1] < 0) fail("accept");
  setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  close(listener);
}

static int by_value(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

int main(void) {
  static double chunks[kMaxChunks];
  char line[64], mode[16], payload[kPayload];
  double seconds;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%15s %lf", mode, &seconds) != 2) return 2;
    const int is_getpid = strcmp(mode, "getpid") == 0, is_body = strcmp(mode, "body") == 0, has_context = strcmp(mode, "context") == 0;
    const int is_head = has_context || strcmp(mode, "head") == 0;
    const char* const request = has_context ? kRequest kContext kRequestEnd : kRequest kRequestEnd;
    const size_t request_length = strlen(request);
    int ends[2] = {-1, -1};
    for (int i = 0; i < kPayload; ++i) payload[i] = (char)(0x80 + i % 64);
    if (!is_getpid) connect_pair(ends);
    if (is_body) {
      static const char head[] = "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n";
      exchange(ends[0], ends[1], head, sizeof head - 1);
    }
    const int64_t end = clock_of(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
    int count = 0;
    while (count < kMaxChunks && clock_of(CLOCK_MONOTONIC) < end) {
      const int turns = is_getpid ? kCallsPerChunk : kPairsPerChunk;
      const int64_t begin = clock_of(CLOCK_THREAD_CPUTIME_ID);
      for (int i = 0; i < turns; ++i) {
        if (is_getpid) {
          syscall(SYS_getpid);
        } else if (is_head) {
          exchange(ends[0], ends[1], request, request_length);
          exchange(ends[1], ends[0], kResponse, sizeof kResponse - 1);
        } else {
          exchange(ends[0], ends[1], payload, kPayload);
        }
      }
      chunks[count++] = (double)(clock_of(CLOCK_THREAD_CPUTIME_ID) - begin) / turns / (is_head ? 2 : 1);
    }
    if (!is_getpid) close(ends[0]), close(ends[1]);
    qsort(chunks, (size_t)count, sizeof *chunks, by_value);
    printf("%.2f\n", chunks[count / 10]);
    fflush(stdout);
  }
  return 0;
}
