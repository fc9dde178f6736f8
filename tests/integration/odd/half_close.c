// SPDX-License-Identifier: Apache-2.0
/*
 * half_close COUNT: a client that ends its direction with each request and reads without waiting, and a server in a second thread that
 * closes behind each answer. The end of the connection comes from one CPU at about the time at which the other reads the last bytes.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static void* serve(void* listener) {
  char buffer[4096];

  for (unsigned n = 0;; n++) {
    int s = accept(*(int*)listener, NULL, NULL);

    while (read(s, buffer, sizeof(buffer)) > 0);
    if (write(s, answer, sizeof(answer) - 1) < 0) perror("half_close: write");
    for (volatile unsigned i = 0; i < n * 37 % 3000; i++);
    close(s);
  }
  return NULL;
}

int main(int argc, char** argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM, 0), count = argc > 1 ? atoi(argv[1]) : 1000;
  socklen_t size = sizeof(address);
  pthread_t thread;

  if (bind(listener, (struct sockaddr*)&address, size) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr*)&address, &size) || pthread_create(&thread, NULL, serve, &listener)) {
    perror("half_close");
    return 1;
  }
  for (int i = 0; i < count; i++) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    char buffer[4096];

    if (connect(s, (struct sockaddr*)&address, size)) {
      perror("half_close: connect");
      return 1;
    }
    snprintf(buffer, sizeof(buffer), "GET /half/%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
    if (write(s, buffer, strlen(buffer)) < 0) perror("half_close: write");
    shutdown(s, SHUT_WR);
    while (recv(s, buffer, sizeof(buffer), MSG_DONTWAIT) != 0);
    close(s);
  }
  return 0;
}
