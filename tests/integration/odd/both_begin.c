// SPDX-License-Identifier: Apache-2.0
/*
 * both_begin COUNT: connections of HTTP/2 whose server writes its SETTINGS in one thread at about the time at which another reads the
 * client's preface and request: the first calls of both directions at once, as in servers with a thread for each.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char settings[] = "\0\0\0\4\0\0\0\0";  // with the zero behind it, 9 bytes
static const char response[] = "\0\0\1\1\5\0\0\0\1\x88";
static const char request[] =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\4\0\0\0\0\0"
    "\0\0\5\1\5\0\0\0\1\x82\x84\x86\x41";  // GET / by http, with an empty authority: the zero behind it
enum { SETTINGS = 9, RESPONSE = 10, REQUEST = 24 + 9 + 14 };

static atomic_int connection = -1, turn, written;

static void use(int cpu) {
  cpu_set_t set;

  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);  // one CPU only: then they take turns
}

static void pass_time(unsigned seed) { for (volatile unsigned i = 0; i < seed * 37 % 400; i++); }

static void* write_settings(void* unused) {
  (void)unused;
  use(0);
  for (int n = 1;; n++) {
    while (atomic_load(&turn) != n);
    pass_time((unsigned)n);
    if (write(connection, settings, SETTINGS) < 0) perror("both_begin: write");
    atomic_store(&written, n);
  }
  return NULL;
}

int main(int argc, char** argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1000, listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof(address);
  char buffer[256];
  pthread_t thread;

  if (bind(listener, (struct sockaddr*)&address, length) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr*)&address, &length) || pthread_create(&thread, NULL, write_settings, NULL)) {
    perror("both_begin");
    return 1;
  }
  use(1);
  for (int n = 1; n <= count; n++) {
    int client = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(client, (struct sockaddr*)&address, length) || write(client, request, REQUEST) != REQUEST) {
      perror("both_begin: connect");
      return 1;
    }
    connection = accept(listener, NULL, NULL);
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    atomic_store(&turn, n);
    pass_time((unsigned)n * 13);
    if (read(connection, buffer, sizeof(buffer)) != REQUEST) fputs("both_begin: the request came in pieces\n", stderr);
    while (atomic_load(&written) != n);
    if (write(connection, response, RESPONSE) < 0) perror("both_begin: write");
    for (ssize_t got = 0, r; got < SETTINGS + RESPONSE; got += r) {
      r = read(client, buffer, sizeof(buffer));
      if (r <= 0) break;
    }
    close(client);
    close(connection);
  }
  return 0;
}
