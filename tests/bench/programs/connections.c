// SPDX-License-Identifier: Apache-2.0
// Opens connections one after the other, asks once on each, reads to the end and closes. usage: connections PORT PATH COUNT
// Source addresses rotate through 127.0.1.1-8, so that ports which wait in TIME_WAIT do not run out.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 4) return fprintf(stderr, "usage: connections PORT PATH COUNT\n"), 2;
  char request[256], answer[4096];
  const int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", argv[2]);
  const struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const long count = atol(argv[3]);
  for (long i = 0; i < count; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101U + (uint32_t)(i % 8))};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (fd < 0 || bind(fd, (const struct sockaddr*)&from, sizeof from) < 0 || connect(fd, (const struct sockaddr*)&to, sizeof to) < 0 ||
        send(fd, request, (size_t)length, 0) != length) {
      perror("connections");
      return 1;
    }
    while (recv(fd, answer, sizeof answer, 0) > 0) {
    }
    close(fd);
  }
  printf("%ld\n", count);
  return 0;
}
