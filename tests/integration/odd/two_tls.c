// SPDX-License-Identifier: Apache-2.0
/* One process, two TLS libraries: each request goes by OpenSSL and by GnuTLS in turn, each over a kept connection of its own; the truth is
 * written like load.cc. Usage: two_tls PORT REQUESTS */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int port;

static int connected(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);

  if (fd < 0 || connect(fd, (struct sockaddr*)&to, sizeof to)) {
    perror("connect");
    exit(1);
  }
  return fd;
}

static unsigned long long now(void) {
  struct timespec t;

  clock_gettime(CLOCK_REALTIME, &t);
  return (unsigned long long)t.tv_sec * 1000000000ull + (unsigned long long)t.tv_nsec;
}

static SSL* openssl(void) {
  SSL* ssl = SSL_new(SSL_CTX_new(TLS_client_method()));

  SSL_set_fd(ssl, connected());
  return SSL_connect(ssl) == 1 ? ssl : NULL;
}

static gnutls_session_t gnutls(void) {
  static gnutls_certificate_credentials_t credentials;
  const int fd = connected(); /* the macro below takes it twice */
  gnutls_session_t session;
  int done;

  gnutls_certificate_allocate_credentials(&credentials);
  gnutls_init(&session, GNUTLS_CLIENT);
  gnutls_set_default_priority(session);
  gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
  gnutls_transport_set_int(session, fd);
  do {
    done = gnutls_handshake(session);
  } while (done < 0 && !gnutls_error_is_fatal(done));
  return done == 0 ? session : NULL;
}

/* Reads up to the end of the head and of the body that it announces; how much body there was, and the status. */
static long answer(long (*more)(void*, char*, long), void* session, int* status) {
  static char bytes[65536];
  long have = 0, length;
  char *end, *field;

  do {
    const long got = more(session, bytes + have, (long)sizeof bytes - 1 - have);

    if (got <= 0) return -1;
    have += got;
    bytes[have] = 0;
  } while (!(end = strstr(bytes, "\r\n\r\n")));
  *status = atoi(bytes + 9);
  field = strstr(bytes, "ength: ");
  length = field && field < end ? atol(field + 7) : 0;
  while (bytes + have < end + 4 + length) {
    const long got = more(session, bytes + have, (long)sizeof bytes - 1 - have);

    if (got <= 0) return -1;
    have += got;
  }
  return length;
}

static long by_openssl(void* session, char* to, long size) { return SSL_read(session, to, (int)size); }

static long by_gnutls(void* session, char* to, long size) {
  long got;

  do {
    got = gnutls_record_recv(session, to, (size_t)size);
  } while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
  return got;
}

int main(int argc, char** argv) {
  const int count = argc > 2 ? atoi(argv[2]) : 0;
  gnutls_session_t other;
  char request[256];
  SSL* one;

  port = argc > 1 ? atoi(argv[1]) : 0;
  one = openssl();
  other = gnutls();
  if (!one || !other || count < 1 || count > 1000000) return 1;
  for (int i = 0; i < count; i++) {
    const unsigned long long start = now();
    const int size = snprintf(request, sizeof request, "GET /r/two/%d/b%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", i, i % 300, port);
    int status = 0;
    long got;

    if (i % 4 == 2) gnutls_record_cork(other); /* what is sent then is kept, and goes by the same function once more */
    if (i % 2 ? SSL_write(one, request, size) != size : gnutls_record_send(other, request, (size_t)size) != size) return 1;
    if (i % 4 == 2 && gnutls_record_uncork(other, GNUTLS_RECORD_WAIT) != size) return 1;
    got = i % 2 ? answer(by_openssl, one, &status) : answer(by_gnutls, other, &status);
    printf("GET\t/r/two/%d/b%d\t%d\t0\t%ld\t%llu\t%llu\t0\t0\t-\n", i, i % 300, status, got, start, now());
    if (got < 0) return 1;
  }
  return 0;
}
